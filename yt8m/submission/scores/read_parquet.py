"""The scores of a Parquet folder, unpacked once so that any row can be read.

Fusion reads videos in the order of its first input. Parquet is compressed in groups of thousands of
rows, so that reading videos in another order than the file's would unpack each group again and
again. Everything is unpacked into an unnamed temporary file instead, which is memory-mapped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from yt8m.errors import UserError
from yt8m.stored import check_size, intact
from yt8m.submission.scores.folder import parts_of
from yt8m.submission.scores.meta import checked_meta
from yt8m.submission.scores.parquet import META_KEY, pyarrow
from yt8m.submission.scores.read import AGAIN, LARGEST
from yt8m.submission.scores.stored import BestScores, DenseScores, StoredScores
from yt8m.text_lines import parsed_json

_ROWS = 1024
_COLUMNS = ["id", "classes", "scores", "rest"]


def open_parquet(path: str, flag: str) -> StoredScores:
    """Open a Parquet folder, or one of its parts.

    Raises:
      UserError: pyarrow is missing; a file cannot be read or has other columns; or there is
        no room for a temporary file.
    """
    arrow, parts = pyarrow(flag), parts_of(path)
    try:
        meta = checked_meta(_meta(arrow, parts[0], flag), parts[0], flag)
        num_classes, top_k = meta["num_classes"], meta.get("top_k", 0)
        width = top_k or num_classes
        index = np.dtype(np.uint16 if num_classes <= 1 << 16 else np.int32)
        unpacked = _Unpacked(
            width, index, np.dtype(meta.get("dtype", "float32")), with_classes=bool(top_k)
        )
        for part in parts:
            for batch in _batches(arrow, part, flag):
                with intact(part, AGAIN):
                    columns = _columns(batch, part, width, num_classes, flag)
                unpacked.add(*columns)
        ids, classes, scores, rest = unpacked.arrays()
    except OSError as error:
        raise UserError(
            f"{flag}: cannot unpack {path!r} into the folder for temporary files, which TMPDIR"
            f" names: {error}."
        ) from None
    if classes is None:
        return DenseScores(ids, scores, meta)
    return BestScores(ids, classes, scores, rest, num_classes, meta)


def _meta(arrow: Any, part: str, flag: str) -> Any:
    with intact(part, AGAIN):
        check_size(part, LARGEST)
        kept = (arrow.parquet.read_schema(part).metadata or {}).get(META_KEY)
        about = None if kept is None else parsed_json(kept.decode(errors="replace"))
    if kept is None:
        raise UserError(
            f"{flag}: {part!r} does not say what it holds; expected what inference.py"
            " --output_scores --scores_format=parquet writes."
        )
    return about


def _batches(arrow: Any, part: str, flag: str) -> Iterator[Any]:
    with intact(part, AGAIN):
        check_size(part, LARGEST)
        source = arrow.parquet.ParquetFile(part)
    with intact(part, AGAIN), source:
        missing = [name for name in _COLUMNS if name not in source.schema_arrow.names]
        if missing:
            raise UserError(
                f"{flag}: {part!r} has no column {', '.join(missing)}; expected"
                f" {', '.join(_COLUMNS)}."
            )
        yield from source.iter_batches(_ROWS, columns=_COLUMNS)


def _columns(
    batch: Any, part: str, width: int, num_classes: int, flag: str
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return ids [n], classes [n, k], scores [n, k] and rest [n] of some rows."""
    shape = (batch.num_rows, width)
    pairs = []
    for name in ("classes", "scores"):
        column = batch.column(name)
        lengths = set(column.value_lengths().to_pylist())
        if not lengths <= {width}:
            found = ", ".join(sorted(map(str, lengths)))
            raise UserError(
                f"{flag}: {part!r} has lists of {found} in the column {name!r}; expected {width} in"
                " every row."
            )
        pairs.append(column.flatten().to_numpy(zero_copy_only=False).reshape(shape))
    classes, scores = pairs
    if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
        raise UserError(
            f"{flag}: {part!r} has the classes {classes.min()} to {classes.max()}, but there are"
            f" {num_classes} classes."
        )
    rest = batch.column("rest").to_numpy(zero_copy_only=False)
    ids = batch.column("id").to_pylist()
    if classes.dtype.kind not in "iu" or {scores.dtype.kind, rest.dtype.kind} != {"f"}:
        raise ValueError(f"it has columns of {classes.dtype}, {scores.dtype} and {rest.dtype}")
    if not all(isinstance(i, str) for i in ids):
        raise ValueError("it has ids that are no texts")
    return ids, classes, scores, rest


class _Unpacked:
    """Ids and means in memory, and classes and scores in temporary files."""

    def __init__(self, width: int, index: np.dtype, dtype: np.dtype, with_classes: bool):
        self._ids: list[str] = []
        self._rest: list[np.ndarray] = []
        self._width = width
        self._scores = _Spool(dtype)
        self._classes = _Spool(index) if with_classes else None

    def add(
        self, ids: Sequence[str], classes: np.ndarray, scores: np.ndarray, rest: np.ndarray
    ) -> None:
        self._ids.extend(ids)
        self._rest.append(rest)
        self._scores.add(scores)
        if self._classes is not None:
            self._classes.add(classes)

    def arrays(self) -> tuple[list[str], np.ndarray | None, np.ndarray, np.ndarray]:
        shape = (len(self._ids), self._width)
        classes = None if self._classes is None else self._classes.array(shape)
        rest = np.concatenate([np.zeros(0, np.float32), *self._rest])[:, np.newaxis]
        return self._ids, classes, self._scores.array(shape), rest


class _Spool:
    """An array in a temporary file that has no name; it lasts as long as the array."""

    def __init__(self, dtype: np.dtype):
        self._dtype = dtype
        self._file = _temporary()

    def add(self, values: np.ndarray) -> None:
        # A full disk is an error here, and would kill the process if the map were written to.
        self._file.write(np.ascontiguousarray(values, self._dtype).data)

    def array(self, shape: tuple[int, int]) -> np.ndarray:
        self._file.flush()
        if not shape[0]:
            return np.zeros(shape, self._dtype)
        return np.memmap(self._file, self._dtype, "r", shape=shape)


def _temporary() -> BinaryIO:
    return tempfile.TemporaryFile()
