"""One shard of a feature store on disk: written whole or not at all, checksummed, read by memory map.

    00000.features    [n, D], raw
    00000.rows.npz    ids, labels (CSR: `indptr` [n + 1], `indices`), shape and checksums; it is given its
                      name last, and so tells that the shard is whole
"""

from __future__ import annotations

import dataclasses
import os
import zlib
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from yt8m.errors import UserError


@dataclasses.dataclass
class Shard:
    """A shard that was read: features [n, D] (memory-mapped), ids [n], labels as CSR, (n, D), checksums."""

    features: Any
    ids: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    shape: np.ndarray
    checksums: np.ndarray


def read_shard(folder: str, index: int, dtype: np.dtype, verify: bool = False) -> Optional[Shard]:
    """Return a shard with its features memory-mapped; None if it is not there or not whole.

    Raises:
      UserError: with `verify`, its bytes are not those written.
    """
    features, rows = _paths(folder, index)
    if not os.path.exists(rows) or not os.path.exists(features):
        return None
    with np.load(rows) as f:
        shard = Shard(None, *(f[key] for key in ("ids", "indptr", "indices", "shape", "checksums")))
    n, width = (int(x) for x in shard.shape)
    if os.path.getsize(features) != n * width * dtype.itemsize:
        return None
    shard.features = np.memmap(features, dtype, "r", shape=(n, width)) if n else np.zeros((0, width), dtype)
    if verify and list(shard.checksums) != _checksums(shard):
        raise UserError(
            f"{features} or {rows} is damaged: its checksum is not that of what was written."
            " Delete the two; the same command computes them again."
        )
    return shard


class ShardWriter:
    """Appends batches to a shard, which is there only when it is closed."""

    def __init__(self, folder: str, index: int, dtype: np.dtype):
        self._features, self._rows = _paths(folder, index)
        self._dtype, self._crc, self._n, self._width = dtype, 0, 0, 0
        self._counts: List[np.ndarray] = []
        self._indices: List[np.ndarray] = []
        self._ids: List[bytes] = []
        self._file = open(self._features + ".tmp", "wb")

    def add(self, features: np.ndarray, labels: np.ndarray, ids: Sequence[bytes]) -> None:
        """Append features [n, D], labels multi-hot [n, K] and ids."""
        data = np.ascontiguousarray(features, self._dtype)
        self._file.write(_bytes(data))
        self._crc = zlib.crc32(_bytes(data), self._crc)
        self._n, self._width = self._n + len(data), data.shape[1]
        positive = np.asarray(labels) > 0
        self._counts.append(positive.sum(1))
        self._indices.append(np.nonzero(positive)[1].astype(np.int32))
        self._ids += [i.encode() if isinstance(i, str) else i for i in ids]

    def close(self) -> None:
        """Finish the two files; the shard is whole once the second has its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        indptr = np.concatenate([[0], np.cumsum(np.concatenate(self._counts or [np.zeros(0, np.int64)]))]).astype(np.int64)
        indices = np.concatenate(self._indices or [np.zeros(0, np.int32)])
        ids = np.asarray(self._ids or np.zeros(0, "S1"), dtype="S")
        arrays = {"ids": ids, "indptr": indptr, "indices": indices, "shape": np.asarray([self._n, self._width])}
        sums = [self._crc, *(zlib.crc32(_bytes(a)) for a in (indptr, indices, ids))]
        with open(self._rows + ".tmp", "wb") as f:
            np.savez(f, checksums=np.asarray(sums, np.int64), **arrays)
        os.replace(self._features + ".tmp", self._features)
        os.replace(self._rows + ".tmp", self._rows)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()
            os.remove(self._features + ".tmp")


def _paths(folder: str, index: int) -> Tuple[str, str]:
    return os.path.join(folder, f"{index:05d}.features"), os.path.join(folder, f"{index:05d}.rows.npz")


def _checksums(shard: Shard) -> List[int]:
    crc = 0
    for start in range(0, len(shard.features), 4096):
        crc = zlib.crc32(_bytes(shard.features[start : start + 4096]), crc)
    return [crc, *(zlib.crc32(_bytes(a)) for a in (shard.indptr, shard.indices, shard.ids))]


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
