"""Every score of every video, for fusion: a folder with a memory-mapped array beside its ids.

`scores.npy` float32 or float16 [N, K], `ids.txt` one id a line, `meta.json`, and `labels.csv`
(ground truth) where the labels were known. A million videos of 3862 classes never pass through memory.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.errors import UserError
from yt8m.submission.ids import decode_ids

SCORES, IDS, META, LABELS = "scores.npy", "ids.txt", "meta.json", "labels.csv"
_HEADER_BYTES = 128


class ScoreWriter:
    """Appends batches to a score folder, which appears under its name only when it is whole.

    Everything goes to `path + ".partial"`; an existing score folder is replaced on `close()`.

    Args:
      path: a local folder (the array is memory-mapped).
      num_classes: K.
      dtype: "float32" or "float16".
      meta: more to keep in meta.json, e.g. the source run, "covered_classes", the classes that the
        model was trained on where these are not all, or "segments", whether ids are `<video>:<start>`.
      flag: names the place in messages.

    Raises:
      UserError: a remote path, an unwritable place, or a folder that holds something else.
    """

    def __init__(
        self,
        path: str,
        num_classes: int,
        dtype: str = "float32",
        meta: dict[str, Any] | None = None,
        flag: str = "--output_scores",
    ):
        self.path, self.num_classes, self.num_videos = _local(path, flag), int(num_classes), 0
        if dtype not in ("float32", "float16"):
            raise ValueError(f'dtype is "float32" or "float16", not {dtype!r}')
        self._dtype = np.dtype({"float32": "<f4", "float16": "<f2"}[dtype])
        self._meta, self._flag = meta, flag
        self._partial = self.path + ".partial"
        if os.path.exists(self.path) and not _replaceable(self.path):
            raise UserError(
                f"{flag}={path!r} exists and is not a score folder; it is not overwritten. Name another place."
            )
        self._labels = None
        try:
            if os.path.isdir(self._partial):
                if not set(os.listdir(self._partial)) <= {
                    SCORES,
                    IDS,
                    META,
                    LABELS,
                    LABELS + ".partial",
                }:
                    raise UserError(
                        f"{self._partial!r} holds files of someone else; delete it, or change {flag}."
                    )
                shutil.rmtree(self._partial)  # of a run that was killed
            os.makedirs(self._partial)
            self._scores = open(os.path.join(self._partial, SCORES), "wb")
            self._ids = open(os.path.join(self._partial, IDS), "w", encoding="utf-8", newline="\n")
            self._scores.write(b" " * _HEADER_BYTES)
            self._scores.flush()
        except OSError as error:
            raise self._unwritable(error) from None
        self._open = True

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"cannot write to {self.path!r}: {error.strerror}. Give {self._flag} a place that can be written to."
        )

    def write(
        self, ids: Sequence[object], scores: np.ndarray, labels: np.ndarray | None = None
    ) -> None:
        """Append videos: ids [B] (str or bytes), scores float [B, K], labels multi-hot [B, K] or None."""
        scores = np.asarray(scores)
        if scores.shape != (len(ids), self.num_classes):
            raise ValueError(f"scores are [{len(ids)}, {self.num_classes}], not {scores.shape}")
        if self.num_videos and len(ids) and (labels is None) != (self._labels is None):
            raise ValueError("labels come with every batch or with none")
        texts = decode_ids(ids)
        try:
            self._scores.write(np.ascontiguousarray(scores, self._dtype).data)
            self._ids.write("".join(t + "\n" for t in texts))
        except OSError as error:
            raise self._unwritable(error) from None
        if labels is not None and len(ids):
            from yt8m.submission.ground_truth import GroundTruthWriter

            if self._labels is None:
                self._labels = GroundTruthWriter(os.path.join(self._partial, LABELS), self._flag)
            self._labels.write(texts, labels)
        self.num_videos += len(texts)

    def close(self) -> None:
        """Finish the files and give the folder its name."""
        if not self._open:
            return
        self._open = False
        try:
            self._scores.seek(0)
            self._scores.write(_npy_header(self._dtype, (self.num_videos, self.num_classes)))
            self._scores.close()
            self._ids.close()
            if self._labels is not None:
                self._labels.close()
            meta = {
                **(self._meta or {}),
                "num_videos": self.num_videos,
                "num_classes": self.num_classes,
            }
            meta["dtype"] = self._dtype.name
            with open(os.path.join(self._partial, META), "w", encoding="utf-8") as out:
                out.write(json.dumps(meta, indent=1) + "\n")
            old = self.path + ".old"
            if os.path.isdir(
                self.path
            ):  # a folder cannot be renamed onto another: step aside first
                shutil.rmtree(old, ignore_errors=True)
                os.rename(self.path, old)
            os.rename(self._partial, self.path)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def abandon(self) -> None:
        """Delete what was written; an older folder under the name stays."""
        if self._open:
            self._open = False
            self._scores.close()
            self._ids.close()
            if self._labels is not None:
                self._labels.abandon()
            shutil.rmtree(self._partial, ignore_errors=True)

    def __enter__(self) -> ScoreWriter:
        return self

    def __exit__(self, kind, error, trace) -> None:  # type: ignore[no-untyped-def]
        self.abandon() if kind else self.close()


class ScoreFile:
    """Reads a folder of `ScoreWriter`.

    Attributes:
      ids: N video ids.
      scores: memory-mapped [N, K]; slices of it are read from the disk as they are used.
      meta: what meta.json holds.

    Raises:
      UserError: no score folder, an unfinished one, or files that do not fit together.
    """

    def __init__(self, path: str, flag: str = "--inputs"):
        self.path = _local(path, flag)
        if not os.path.isfile(os.path.join(self.path, META)):
            left = os.path.isdir(self.path + ".partial")
            why = "its writer did not finish" if left else f"it has no {META}"
            raise UserError(
                f"{flag}: {path!r} is not a score folder, {why}. inference.py --output_scores writes one."
            )
        try:
            with open(os.path.join(self.path, META), encoding="utf-8") as source:
                self.meta: dict[str, Any] = json.load(source)
            with open(os.path.join(self.path, IDS), encoding="utf-8") as source:
                self.ids: list[str] = source.read().split("\n")[:-1]
            self.scores = np.load(
                os.path.join(self.path, SCORES), mmap_mode="r" if self.ids else None
            )
        except (OSError, ValueError) as error:
            raise UserError(f"{flag}: the score folder {path!r} cannot be read: {error}.") from None
        if self.scores.ndim != 2 or len(self.ids) != len(self.scores):
            raise UserError(
                f"{flag}: {path!r} has {len(self.ids)} ids, but scores of shape {self.scores.shape}."
            )

    @property
    def num_videos(self) -> int:
        """N."""
        return self.scores.shape[0]

    @property
    def num_classes(self) -> int:
        """K."""
        return self.scores.shape[1]

    @property
    def labels_path(self) -> str | None:
        """The ground truth that lies in the folder, or None."""
        path = os.path.join(self.path, LABELS)
        return path if os.path.isfile(path) else None


def is_score_folder(path: str) -> bool:
    """Tell whether `path` is a folder that `ScoreWriter` finished."""
    return os.path.isfile(os.path.join(path, META)) and os.path.isfile(os.path.join(path, SCORES))


def _local(path: str, flag: str) -> str:
    if "://" in path:
        raise UserError(
            f"{flag}={path!r}: scores are memory-mapped, which needs a local folder; name a local one."
        )
    if not path:
        raise UserError(f"{flag} is empty; name a folder.")
    return path.rstrip("/") or "/"


def _replaceable(path: str) -> bool:
    return os.path.isdir(path) and (not os.listdir(path) or is_score_folder(path))


def _npy_header(dtype: np.dtype, shape: Sequence[int]) -> bytes:
    """Return a version 1.0 .npy header of `_HEADER_BYTES`, padded: N is known only at the end."""
    text = (
        f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({shape[0]}, {shape[1]}), }}"
    )
    room = _HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little") + text.ljust(room - 1).encode() + b"\n"
