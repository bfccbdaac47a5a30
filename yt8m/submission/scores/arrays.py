"""The writer of a folder with NumPy arrays of one row per video, `ids.txt` and `meta.json`."""

from __future__ import annotations

import abc
import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from yt8m.files import cut_to
from yt8m.submission.ids import ID_BYTES, as_texts, refuse_signs
from yt8m.submission.scores.folder import IDS, META, PartialFolder
from yt8m.submission.writer import Position, PredictionWriter

_HEADER_BYTES = 128


class Column(NamedTuple):
    """An array [N, width] of the folder: the name of its file, its data type and its width."""

    name: str
    dtype: np.dtype
    width: int


class ArrayWriter(PredictionWriter):
    """Appends batches to the arrays of a folder.

    It writes to `path + ".partial"`, which replaces an existing score folder on `close()`.

    Args:
      path: a local folder, since the arrays are memory-mapped.
      num_classes: K.
      columns: the arrays.
      meta: further content of meta.json.
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
        columns: Sequence[Column],
        meta: dict[str, Any],
        flag: str,
        at: Position | None,
    ):
        self._num_classes, self._columns, self._meta = num_classes, columns, meta
        self._folder = PartialFolder(path, flag, None if at is None else at.get("owner", ""))
        self._num_videos = 0 if at is None else at["videos"]
        with contextlib.ExitStack() as files:
            files.callback(self._folder.leave)
            self._out = self._opened(files, at)
            self._files = files.pop_all()
        self._open = True

    def _opened(self, files: contextlib.ExitStack, at: Position | None) -> dict[str, BinaryIO]:
        """Return the open files by their names, each at its end."""
        names = [*(column.name for column in self._columns), IDS]
        if at is not None:
            for name in names:
                cut_to(self._folder.file(name), at[name])
        try:
            out = {n: files.enter_context(_opened(self._folder.file(n))) for n in names}
            for name in names:
                out[name].seek(0, os.SEEK_END)
                if at is None and name != IDS:
                    out[name].write(b" " * _HEADER_BYTES)
                    out[name].flush()
        except OSError as error:
            raise self._folder.unwritable(error) from None
        return out

    @abc.abstractmethod
    def _rows(self, scores: np.ndarray) -> Sequence[np.ndarray]:
        """Return the rows of each array for scores [B, K]."""

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append videos.

        Args:
          ids: [B], str or bytes.
          scores: float [B, K].
        """
        check_shape(ids, scores, self._num_classes)
        texts = as_texts(ids)
        self.check_ids(texts)
        rows = self._rows(np.asarray(scores))
        try:
            for column, values in zip(self._columns, rows):
                self._out[column.name].write(np.ascontiguousarray(values, column.dtype).data)
            self._out[IDS].write("".join(t + "\n" for t in texts).encode())
        except OSError as error:
            raise self._folder.unwritable(error) from None
        self._num_videos += len(texts)

    def check_ids(self, texts: Sequence[str]) -> None:
        """Refuse ids that are more than one line."""
        what = f"a line break, which {IDS} cannot hold"
        refuse_signs(texts, "\n", what, "use --scores_format=parquet, or rename the video.")

    def position(self) -> Position:
        """Return the bytes of each file and the number of videos, once they are on the disk."""
        try:
            for out in self._out.values():
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise self._folder.unwritable(error) from None
        bytes_of = {name: out.tell() for name, out in self._out.items()}
        return {**bytes_of, "videos": self._num_videos, "owner": self._folder.owner}

    def estimated_bytes(self, examples: int) -> int:
        """Return the bytes of the arrays and of ids of a video's usual length."""
        row = sum(column.dtype.itemsize * column.width for column in self._columns)
        return examples * (row + ID_BYTES)

    def close(self) -> None:
        """Finish the files and rename the folder."""
        if not self._open:
            return
        self._open = False
        shape = {"num_videos": self._num_videos, "num_classes": self._num_classes}
        meta = {**self._meta, **shape}
        try:
            with self._files:  # which closes the files and gives the lock back, whatever happens
                for column in self._columns:
                    out = self._out[column.name]
                    out.seek(0)
                    out.write(_npy_header(column.dtype, (self._num_videos, column.width)))
                for name in self._out:
                    self._out[name].close()
                with open(self._folder.file(META), "w", encoding="utf-8") as text:
                    text.write(json.dumps(meta, indent=1) + "\n")
                self._folder.finish()
        except OSError as error:
            raise self._folder.unwritable(error) from None

    def leave(self) -> None:
        """Close the files without renaming the folder."""
        if self._open:
            self._open = False
            self._files.close()

    def abandon(self) -> None:
        """Delete what was written; an older folder of that name stays."""
        if self._open:
            self._open = False
            with self._files:
                self._folder.remove()


def check_shape(ids: Sequence[object], scores: np.ndarray, num_classes: int) -> None:
    """Refuse scores that are not [B, K].

    Raises:
      ValueError: the message has both shapes.
    """
    expected, found = (len(ids), num_classes), np.shape(scores)
    if found != expected:
        raise ValueError(f"expected scores of shape {expected}, not {found}")


def _opened(path: str) -> BinaryIO:
    """Open a file, or make it, to write anywhere; mode "a" could not write the header later."""
    return open(path, "r+b" if os.path.exists(path) else "wb")


def _npy_header(dtype: np.dtype, shape: tuple[int, int]) -> bytes:
    """Return a .npy header of version 1.0, padded to `_HEADER_BYTES` because N is not known yet."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    room = _HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little") + text.ljust(room - 1).encode() + b"\n"
