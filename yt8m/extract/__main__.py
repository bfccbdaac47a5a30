"""Command that makes records from videos.

`yt8m extract VIDEO... --out=mine.tfrecord --encoder=my_clip:encode` writes a frame-level record of
each video. With --inception and --pca, features are made as those of the release are.
"""

from __future__ import annotations

if __name__ == "__main__":
    import yt8m.process.quiet  # noqa: F401

import argparse
import hashlib
import os
from collections.abc import Sequence

from yt8m.errors import UserError
from yt8m.extract.networks import load_encoder, load_inception
from yt8m.extract.pca import load_pca
from yt8m.extract.run import Extraction, extract
from yt8m.flags import Parser, bounded
from yt8m.process.guard import ends_in_one_line, run_main
from yt8m.settings import MOST_FRAMES
from yt8m.submission.ground_truth import read_ground_truth


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = Parser(prog="yt8m extract", description="Make records from videos.")
    p.add_argument("videos", nargs="+", metavar="VIDEO", help="local files that FFmpeg can decode")
    p.add_argument("--out", required=True, help="the TFRecord file")
    p.add_argument(
        "--encoder",
        default="",
        help="MODULE:FUNCTION from pictures, uint8 RGB [n, H, W, 3], to vectors [n, N]",
    )
    p.add_argument(
        "--inception",
        default="",
        help="classify_image_graph_def.pb, the release's network, in place of --encoder",
    )
    p.add_argument(
        "--pca",
        default="",
        help="folder with mean.npy, eigenvals.npy and eigenvecs.npy: whitened, clipped to ±2 and"
        " written as bytes; without it the vectors are written as floats",
    )
    p.add_argument(
        "--audio_encoder",
        default="",
        help="MODULE:FUNCTION from log-mel spectra, float32 [n, 96, 64], to vectors [n, N]",
    )
    p.add_argument("--audio_pca", default="", help="vggish_pca_params.npz, as --pca")
    p.add_argument("--labels", default="", help="CSV with lines ID,L1 L2, where an id is a file's")
    p.add_argument(
        "--every",
        type=bounded(float, 1e-3, 1e6),
        default=1.0,
        help="seconds between pictures (default: 1)",
    )
    p.add_argument(
        "--max_frames",
        type=bounded(int, 1, MOST_FRAMES),
        default=300,
        help="the most pictures of a video (default: 300)",
    )
    return p


@ends_in_one_line
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if a video was left out, or 2 for a user's mistake."""
    a = parser().parse_args(argv)
    failed = extract(a.videos, a.out, _extraction(a), _labels(a.labels))
    print(f"wrote {a.out}: {len(a.videos) - len(failed):,} of {len(a.videos):,} videos")
    print(f"next: yt8m inspect {a.out} --full")
    return 1 if failed else 0


def _extraction(a: argparse.Namespace) -> Extraction:
    if bool(a.encoder) == bool(a.inception) and (a.encoder or not a.audio_encoder):
        raise UserError("name one of --encoder and --inception for the pictures.")
    for flag, needed in (("pca", a.encoder or a.inception), ("audio_pca", a.audio_encoder)):
        if getattr(a, flag) and not needed:
            raise UserError(f"--{flag} applies to a network's vectors, but none is named.")
    for path in filter(os.path.isfile, (a.inception, a.audio_pca)):
        print(f"{path}: SHA-256 {_sha256(path)}")
    encoder = load_encoder(a.encoder, "--encoder") if a.encoder else None
    return Extraction(
        load_inception(a.inception) if a.inception else encoder,
        load_pca(a.pca, "--pca") if a.pca else None,
        load_encoder(a.audio_encoder, "--audio_encoder") if a.audio_encoder else None,
        load_pca(a.audio_pca, "--audio_pca") if a.audio_pca else None,
        a.every,
        a.max_frames,
    )


def _labels(path: str) -> dict[str, list[int]] | None:
    if not path:
        return None
    truth = read_ground_truth(path)
    return {video: truth[video].tolist() for video in truth.ids}


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    run_main(main)
