"""Command that writes synthetic data sets.

`python -m yt8m.data.synthetic --out_dir=DIR` writes the learnable data set, with ratings of
segments if `--segment_labels` is given. With `--from_video_level=PATTERN` it writes frame-level
records around real video-level means instead.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import argparse
from collections.abc import Sequence

from yt8m.data.synthetic.around_means import from_video_level
from yt8m.data.synthetic.dataset import make_synthetic
from yt8m.data.synthetic.world import SyntheticSpec
from yt8m.errors import UserError
from yt8m.flags import Parser, bounded
from yt8m.process.guard import ends_in_one_line, run_main
from yt8m.settings import MOST_CLASSES, MOST_FRAMES


def _two_numbers(text: str) -> tuple[int, int]:
    whole = bounded(int, 1, MOST_FRAMES)
    low, comma, high = text.partition(",")
    if not comma or whole(low) > whole(high):
        raise argparse.ArgumentTypeError(
            f"{text[:100]}: expected the fewest and the most frames, such as 120,300"
        )
    return whole(low), whole(high)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m yt8m.data.synthetic",
        description="Write a small, learnable data set in the official format.",
    )
    parser.add_argument("--out_dir", required=True, help="folder to write to")
    parser.add_argument(
        "--from_video_level",
        default="",
        help="write frames around these real video-level records instead",
    )
    parser.add_argument(
        "--frames",
        type=_two_numbers,
        default=(120, 300),
        metavar="MINIMUM,MAXIMUM",
        help="minimum and maximum number of frames per video, with --from_video_level",
    )
    parser.add_argument(
        "--noise",
        type=bounded(float, 0, 1e6),
        default=0.5,
        help="standard deviation of the frames' noise",
    )
    parser.add_argument(
        "--seed",
        type=bounded(int, 0, 2**32 - 1),
        default=0,
        help=("random seed; equal seeds give equal files"),
    )
    parser.add_argument(
        "--num_classes",
        type=bounded(int, 1, MOST_CLASSES),
        help="number of classes, with --from_video_level, if it cannot be found from the records",
    )
    parser.add_argument(
        "--segment_labels",
        action="store_true",
        help="add ratings of five-second segments to the frame-level records",
    )
    return parser


def _write(a: argparse.Namespace) -> str:
    """Write the data set that the arguments describe, and return a summary line."""
    if a.num_classes is not None and not a.from_video_level:
        raise UserError(
            f"--num_classes={a.num_classes}: only with --from_video_level; the classes of a world"
            " that is made here are fixed."
        )
    if not a.from_video_level:
        spec = SyntheticSpec(noise=a.noise, seed=a.seed, segment_labels=a.segment_labels)
        make_synthetic(a.out_dir, spec)
        videos = ", ".join(f"{number} {split}" for split, number in spec.videos)
        return f"wrote {videos} videos to {a.out_dir}/frame and {a.out_dir}/video"
    if a.segment_labels:
        raise UserError(
            "--segment_labels: frames around real means have no scenes to rate; drop it, or"
            " --from_video_level."
        )
    count = from_video_level(
        a.from_video_level, a.out_dir, a.frames, a.noise, a.seed, a.num_classes
    )
    return f"wrote {count} videos to {a.out_dir}"


@ends_in_one_line
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for a user's mistake."""
    print(_write(_parser().parse_args(argv)))
    return 0


if __name__ == "__main__":
    run_main(main)
