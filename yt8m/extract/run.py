"""Videos to records: what is computed of each video, and the file of all of them."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from yt8m import locks
from yt8m.data.records.quantization import quantize
from yt8m.data.records.writers import frame_record, write_shard
from yt8m.errors import UserError
from yt8m.extract.log_mel import log_mel
from yt8m.extract.media import pictures, sound
from yt8m.extract.networks import Encoder
from yt8m.extract.pca import Pca
from yt8m.files import remove_unfinished

_TOGETHER = 16  # pictures in a call of a network


@dataclasses.dataclass(frozen=True)
class Extraction:
    """What is computed of a video.

    Attributes:
      encoder: from pictures, uint8 RGB [n, H, W, 3], to vectors [n, N]; None for no pictures.
      pca: applied to these vectors; with it, features are clipped to ±2 and written as bytes, and
        without it they are written as floats.
      audio_encoder: from log-mel spectra, float32 [n, 96, 64], to vectors; None for no sound.
      audio_pca: applied to these vectors.
      every: seconds between two pictures.
      max_frames: the most pictures of a video.
    """

    encoder: Encoder | None
    pca: Pca | None = None
    audio_encoder: Encoder | None = None
    audio_pca: Pca | None = None
    every: float = 1.0
    max_frames: int = 300

    def features(self, path: str) -> dict[str, NDArray[Any]]:
        """Return `rgb` and `audio` of a video, [n, D] each, as long as the shorter one.

        Raises:
          UserError: the video cannot be decoded, or is shorter than a second.
        """
        found: dict[str, NDArray[Any]] = {}
        if self.encoder:
            shots = pictures(path, self.every, self.max_frames)
            found["rgb"] = _encoded(self.encoder, shots, self.pca, path, "pictures")
        if self.audio_encoder:
            seconds = float(self.max_frames)
            spectra = log_mel(sound(path, seconds))
            found["audio"] = _encoded(self.audio_encoder, spectra, self.audio_pca, path, "sound")
        frames = min(map(len, found.values()))
        return {name: values[:frames] for name, values in found.items()}


def _encoded(
    encoder: Encoder, parts: Iterable[NDArray[Any]], pca: Pca | None, path: str, what: str
) -> NDArray[Any]:
    vectors = []
    for batch in _batches(parts):
        out = np.asarray(encoder(batch), np.float32)
        if out.ndim != 2 or len(out) != len(batch):
            raise UserError(
                f"the encoder of the {what} returned an array of shape {list(out.shape)} for"
                f" {len(batch)} inputs; one vector for each is expected, [{len(batch)}, N]."
            )
        vectors.append(out)
    if not vectors:
        raise UserError(f"{path} has less than a second of {what}.")
    whole = np.concatenate(vectors)
    if not np.isfinite(whole).all():
        raise UserError(
            f"the encoder of the {what} returned values that are not finite for {path}."
        )
    return whole if pca is None else quantize(pca(whole))


def _batches(parts: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    rest = iter(parts)
    while batch := list(itertools.islice(rest, _TOGETHER)):
        yield np.stack(batch)


def extract(
    videos: Sequence[str],
    out: str,
    extraction: Extraction,
    labels: Mapping[str, Sequence[int]] | None = None,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Write a record of each video into a file, and return the videos that could not be decoded.

    Args:
      videos: local files; the name of each without its ending is its id.
      out: the TFRecord file, which appears only when it is complete.
      extraction: what is computed.
      labels: labels of each video by its id; None writes none.
      say: prints a line for each video.

    Raises:
      UserError: two videos have the same id, one has no labels, or none could be decoded.
    """
    ids = {path: os.path.splitext(os.path.basename(path))[0] for path in videos}
    _check(ids, labels)
    failed: list[str] = []

    def records() -> Iterator[bytes]:
        for number, (path, video) in enumerate(ids.items(), 1):
            try:
                features = extraction.features(path)
            except UserError as error:
                say(f"{number}/{len(ids)}  left out: {error}")
                failed.append(path)
                continue
            shapes = ", ".join(
                f"{name} {len(values)} x {values.shape[1]:,}" for name, values in features.items()
            )
            say(f"{number}/{len(ids)}  {video}: {shapes}")
            own = None if labels is None else labels[video]
            yield frame_record(video.encode(), features, own)
        if len(failed) == len(ids):
            raise UserError("no video could be decoded; nothing was written.")

    with locks.held(locks.beside(out), f"--out={out}"):
        remove_unfinished(out)
        write_shard(out, records())
    return failed


def _check(ids: Mapping[str, str], labels: Mapping[str, Sequence[int]] | None) -> None:
    repeated = sorted({video for video in ids.values() if [*ids.values()].count(video) > 1})
    if repeated:
        raise UserError(
            f"several videos have the id {repeated[0]!r}, which is the name of the file without its"
            " ending; rename one of them."
        )
    missing = [video for video in ids.values() if labels is not None and video not in labels]
    if missing:
        raise UserError(
            f"--labels: {len(missing)} of {len(ids)} videos have no line, first {missing[0]!r}."
        )
