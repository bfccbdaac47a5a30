"""Scores as Parquet, for people who read them with pandas or DuckDB.

A folder contains parts `part-00000.parquet`, `part-00001.parquet`, ..., with one row per video:
`id`; `classes` and `scores`, lists of one length, the best class first, or all classes in their
order; and `rest`, the mean score of the classes that are not listed. The scores are float32. A
precision of float16 rounds them, which halves them on the disk and keeps them readable by every
program.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.errors import UserError
from yt8m.files import CannotGoOn
from yt8m.submission.ids import ID_BYTES, as_texts
from yt8m.submission.scores.arrays import check_shape
from yt8m.submission.scores.best import check_top_k, split
from yt8m.submission.scores.folder import PartialFolder, part_name
from yt8m.submission.writer import Position, PredictionWriter

META_KEY = b"yt8m"  # of the schema's metadata: what meta.json has in the other formats
_PAIRS_IN_GROUP = 1 << 20  # pairs that are held before they are written
_PAIR_BYTES = {"float32": 6.0, "float16": 3.5}  # on the disk, measured with 200 classes of 3,862
_SCORE_BYTES = {"float32": 4.0, "float16": 2.0}  # where all classes are stored, in their order


def pyarrow(flag: str) -> Any:
    """Return the module `pyarrow`, with `pyarrow.parquet`.

    Raises:
      UserError: it is not installed, or does not fit the installed NumPy.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            f"{flag}: Parquet needs pyarrow, which cannot be imported ({error}); install it: pip"
            " install 'yt8m[parquet]'."
        ) from None
    return pyarrow


class ParquetWriter(PredictionWriter):
    """Appends videos to a folder of Parquet files.

    Each position begins a new part, because a Parquet file cannot be appended to.

    Args:
      path: a local folder.
      num_classes: K.
      top_k: number of best classes to store for each video; 0 means all classes.
      dtype: "float32" or "float16".
      meta: what readers should know, such as "segments".
      flag: the flag that gave the path; error messages name it.
      at: position in the unfinished folder of a killed process; None starts from the beginning.

    Raises:
      UserError: pyarrow is missing; `top_k` exceeds K; or the path is remote, cannot be
        written, or is a folder of something else.
      CannotGoOn: there is no such unfinished folder.
    """

    def __init__(
        self,
        path: str,
        num_classes: int,
        top_k: int = 0,
        dtype: str = "float32",
        meta: dict[str, Any] | None = None,
        flag: str = "--output_scores",
        at: Position | None = None,
    ):
        self._arrow = arrow = pyarrow("--scores_format=parquet")
        if top_k:
            check_top_k(top_k, num_classes)
        self._num_classes, self._top_k, self._dtype = num_classes, top_k, dtype
        shape = {"num_classes": num_classes, "top_k": top_k, "dtype": dtype}
        self._schema = arrow.schema(
            [
                ("id", arrow.string()),
                ("classes", arrow.list_(arrow.int32())),
                ("scores", arrow.list_(arrow.float32())),
                ("rest", arrow.float32()),
            ],
            {META_KEY: json.dumps({**(meta or {}), **shape})},
        )
        self._folder = PartialFolder(path, flag, None if at is None else at.get("owner", ""))
        self._parts: list[int] = [] if at is None else list(at["parts"])  # bytes of each part
        self._waiting: list[Any] = []  # record batches
        self._part: Any = None
        self._open = True
        if at is not None:
            self._cut()

    def _cut(self) -> None:
        """Check the parts that a killed process finished, and delete those that it did not."""
        for number, size in enumerate(self._parts):
            path = self._folder.file(part_name(number))
            found = os.path.getsize(path) if os.path.isfile(path) else 0
            if found != size:
                self._folder.leave()
                raise CannotGoOn(f"{path} has {found:,} bytes, not {size:,}")
        number = len(self._parts)
        while os.path.exists(self._folder.file(part_name(number))):
            os.remove(self._folder.file(part_name(number)))
            number += 1

    @property
    def _width(self) -> int:
        return self._top_k or self._num_classes

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append videos.

        Args:
          ids: [B], str or bytes.
          scores: float [B, K].
        """
        check_shape(ids, scores, self._num_classes)
        scores = np.asarray(scores)
        if self._top_k:
            classes, scores, rest = split(scores, self._top_k)
        else:
            classes = np.broadcast_to(np.arange(self._num_classes), scores.shape)
            rest = np.zeros((len(ids), 1), np.float32)
        arrow, count = self._arrow, len(ids)
        ends = arrow.array(np.arange(count + 1, dtype=np.int32) * self._width)
        rounded = scores.astype(self._dtype).astype(np.float32)
        columns = [
            arrow.array(as_texts(ids), arrow.string()),
            arrow.ListArray.from_arrays(ends, arrow.array(classes.astype(np.int32).ravel())),
            arrow.ListArray.from_arrays(ends, arrow.array(rounded.ravel())),
            arrow.array(rest[:, 0]),
        ]
        self._waiting.append(arrow.record_batch(columns, schema=self._schema))
        if sum(batch.num_rows for batch in self._waiting) * self._width >= _PAIRS_IN_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        """Write what is held as a group of rows of the current part."""
        try:
            if self._part is None:
                path = self._folder.file(part_name(len(self._parts)))
                self._part = self._arrow.parquet.ParquetWriter(
                    path, self._schema, compression="zstd", store_schema=True
                )
            table = self._arrow.Table.from_batches(self._waiting, self._schema)
            self._part.write_table(table, row_group_size=max(1, table.num_rows))
        except OSError as error:
            raise self._folder.unwritable(error) from None
        self._waiting = []

    def _end_part(self) -> None:
        """Finish the current part, if there is one."""
        if self._waiting:
            self._write_group()
        if self._part is None:
            return
        path = self._folder.file(part_name(len(self._parts)))
        try:
            self._part.close()
            with open(path, "rb+") as written:
                os.fsync(written.fileno())
        except OSError as error:
            raise self._folder.unwritable(error) from None
        self._part = None
        self._parts.append(os.path.getsize(path))

    def position(self) -> Position:
        """Return the bytes of each part, once they are whole and on the disk."""
        self._end_part()
        return {"parts": list(self._parts), "owner": self._folder.owner}

    def estimated_bytes(self, examples: int) -> int:
        """Return about how many bytes that number of videos takes on the disk."""
        each = (_PAIR_BYTES if self._top_k else _SCORE_BYTES)[self._dtype]
        return int(examples * (self._width * each + ID_BYTES))

    def close(self) -> None:
        """Finish the last part and rename the folder."""
        if not self._open:
            return
        self._open = False
        if not self._parts and self._part is None:
            self._write_group()  # without videos, a part says what the columns would be
        self._end_part()
        try:
            self._folder.finish()
        except OSError as error:
            raise self._folder.unwritable(error) from None

    def leave(self) -> None:
        """Stop without renaming the folder; an unfinished part is lost."""
        if self._open:
            self._close_part()
            self._folder.leave()

    def _close_part(self) -> None:
        self._open = False
        if self._part is not None:
            with contextlib.suppress(OSError):  # such as a full disk, which was reported
                self._part.close()

    def abandon(self) -> None:
        """Delete what was written; an older folder of that name stays."""
        if self._open:
            self._close_part()
            self._folder.remove()
