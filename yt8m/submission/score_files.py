"""Score folders: the scores of all classes of all videos, for fusion.

A folder contains `scores.npy` (float32 or float16 [N, K]), `ids.txt` (one id per line) and
`meta.json`. It is written in batches and read through a memory map, so that the scores of a million
videos in 3862 classes are never in memory at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from typing import Any, BinaryIO, Literal

import numpy as np

from yt8m.errors import UserError, one_of
from yt8m.files import cut_to
from yt8m.submission.ids import ID_BYTES, decode_ids
from yt8m.submission.writer import Position, PredictionWriter

SCORES, IDS, META = "scores.npy", "ids.txt", "meta.json"
ScoresDtype = Literal["float32", "float16"]
_HEADER_BYTES = 128


class ScoreWriter(PredictionWriter):
    """Appends batches to a score folder.

    It writes to `path + ".partial"`, which replaces an existing score folder on `close()`.

    Args:
      path: a local folder, since the array is memory-mapped.
      num_classes: K.
      dtype: "float32" or "float16".
      meta: further content of meta.json, such as "covered_classes", the classes that the model was
        trained on if these are not all, or "segments", whether the ids are `<video>:<start>`.
      flag: the flag that gave the path; error messages name it.
      at: position in the unfinished folder of a killed process; None starts from the beginning.

    Raises:
      UserError: the path is remote, cannot be written, or is a folder of something else.
      CannotGoOn: there is no such unfinished folder.
    """

    def __init__(
        self,
        path: str,
        num_classes: int,
        dtype: ScoresDtype = "float32",
        meta: dict[str, Any] | None = None,
        flag: str = "--output_scores",
        at: Position | None = None,
    ):
        self._path, self._num_classes, self._num_videos = _local(path, flag), int(num_classes), 0
        self._dtype = np.dtype(one_of("dtype", dtype, ScoresDtype)).newbyteorder("<")
        self._meta, self._flag = meta or {}, flag
        self._partial = self._path + ".partial"
        if os.path.exists(self._path) and not _is_replaceable(self._path):
            raise UserError(
                f"{flag}={path!r} exists and is not a score folder, so it is not overwritten. Name"
                " another folder."
            )
        self._files = files = contextlib.ExitStack()
        paths = [os.path.join(self._partial, name) for name in (SCORES, IDS)]
        if at is not None:
            self._cut(paths, at)
        try:
            if at is None:
                self._remove_unfinished()
                os.makedirs(self._partial)
            mode: Literal["wb", "r+b"] = "wb" if at is None else "r+b"
            opened = [files.enter_context(_opened(path, mode)) for path in paths]
            self._scores, self._ids = opened
            if at is None:
                self._scores.write(b" " * _HEADER_BYTES)
                self._scores.flush()
            for out in opened:
                out.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._unwritable(error) from None
        self._open = True

    def _cut(self, paths: list[str], at: Position) -> None:
        """Cut the files of a killed process to a position."""
        for path, size in zip(paths, (at["scores"], at["ids"])):
            cut_to(path, size)
        self._num_videos = at["videos"]

    def _remove_unfinished(self) -> None:
        """Remove the partial folder of a process that was killed."""
        if not os.path.isdir(self._partial):
            return
        if not set(os.listdir(self._partial)) <= {SCORES, IDS, META}:
            raise UserError(
                f"{self._partial!r} contains unknown files; delete that folder, or change"
                f" {self._flag}."
            )
        shutil.rmtree(self._partial)

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"cannot write to {self._path!r}: {error.strerror}. Set {self._flag} to a writable"
            " folder."
        )

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append videos.

        Args:
          ids: [B], str or bytes.
          scores: float [B, K].
        """
        scores = np.asarray(scores)
        if scores.shape != (len(ids), self._num_classes):
            expected = (len(ids), self._num_classes)
            raise ValueError(f"expected scores of shape {expected}, not {scores.shape}")
        texts = decode_ids(ids)
        try:
            self._scores.write(np.ascontiguousarray(scores, self._dtype).data)
            self._ids.write("".join(t + "\n" for t in texts).encode())
        except OSError as error:
            raise self._unwritable(error) from None
        self._num_videos += len(texts)

    def position(self) -> Position:
        """Return the bytes of both files and the number of videos, once they are on the disk."""
        try:
            for out in (self._scores, self._ids):
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise self._unwritable(error) from None
        sizes = {"scores": self._scores.tell(), "ids": self._ids.tell()}
        return {**sizes, "videos": self._num_videos}

    def leave(self) -> None:
        """Close the files without renaming the folder."""
        if self._open:
            self._open = False
            self._files.close()

    def estimated_bytes(self, examples: int) -> int:
        """Return the bytes of the scores and of ids of a video's usual length."""
        return examples * (self._num_classes * self._dtype.itemsize + ID_BYTES)

    def close(self) -> None:
        """Finish the files and rename the folder."""
        if not self._open:
            return
        self._open = False
        shape = {"num_videos": self._num_videos, "num_classes": self._num_classes}
        meta = {**self._meta, **shape, "dtype": self._dtype.name}
        try:
            self._scores.seek(0)
            self._scores.write(_npy_header(self._dtype, (self._num_videos, self._num_classes)))
            self._files.close()
            with open(os.path.join(self._partial, META), "w", encoding="utf-8") as out:
                out.write(json.dumps(meta, indent=1) + "\n")
            # A folder cannot be renamed to the name of another that is not empty.
            old = self._path + ".old"
            if os.path.isdir(self._path):
                shutil.rmtree(old, ignore_errors=True)
                os.rename(self._path, old)
            os.rename(self._partial, self._path)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def abandon(self) -> None:
        """Delete what was written; an older folder of that name stays."""
        if self._open:
            self._open = False
            self._files.close()
            shutil.rmtree(self._partial, ignore_errors=True)


class ScoreFile:
    """A score folder, opened for reading.

    Attributes:
      ids: N video ids.
      scores: memory-mapped [N, K]; slices are read from the disk when they are used.
      meta: the content of meta.json.

    Args:
      path: a local folder.
      flag: the flag that gave the path; error messages name it.

    Raises:
      UserError: the path is not a score folder, or is incomplete or inconsistent.
    """

    def __init__(self, path: str, flag: str = "--inputs"):
        folder = _local(path, flag)
        if not os.path.isfile(os.path.join(folder, META)):
            unfinished = os.path.isdir(folder + ".partial")
            why = "its writer did not finish" if unfinished else f"it has no {META}"
            raise UserError(
                f"{flag}: {path!r} is not a score folder: {why}. inference.py --output_scores"
                " writes one."
            )
        try:
            with open(os.path.join(folder, META), encoding="utf-8") as source:
                self.meta: dict[str, Any] = json.load(source)
            with open(os.path.join(folder, IDS), encoding="utf-8") as source:
                self.ids: list[str] = source.read().split("\n")[:-1]
            # NumPy cannot map an empty array.
            mode: Any = "r" if self.ids else None
            self.scores: np.ndarray = np.load(os.path.join(folder, SCORES), mmap_mode=mode)
        except (OSError, ValueError) as error:
            raise UserError(f"{flag}: cannot read the score folder {path!r}: {error}.") from None
        if self.scores.ndim != 2 or len(self.ids) != len(self.scores):
            raise UserError(
                f"{flag}: {path!r} has {len(self.ids)} ids, but scores of shape"
                f" {self.scores.shape}."
            )

    @property
    def num_classes(self) -> int:
        """K."""
        return self.scores.shape[1]


def is_score_folder(path: str) -> bool:
    """Whether `path` is a folder that `ScoreWriter` finished."""
    return all(os.path.isfile(os.path.join(path, name)) for name in (META, SCORES))


def _local(path: str, flag: str) -> str:
    if "://" in path:
        raise UserError(
            f"{flag}={path!r}: scores are memory-mapped, which requires a local folder; name a"
            " local folder."
        )
    if not path:
        raise UserError(f"{flag} is empty; name a folder.")
    return path.rstrip("/") or "/"


def _opened(path: str, mode: Literal["wb", "r+b"]) -> BinaryIO:
    return open(path, mode)


def _is_replaceable(path: str) -> bool:
    return os.path.isdir(path) and (not os.listdir(path) or is_score_folder(path))


def _npy_header(dtype: np.dtype, shape: tuple[int, int]) -> bytes:
    """Return a .npy header of version 1.0, padded to `_HEADER_BYTES` because N is not known yet."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    room = _HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little") + text.ljust(room - 1).encode() + b"\n"
