"""One shard of a feature store on disk: written whole or not at all, checksummed, read by memory map.

00000.features    [n, D], raw
00000.rows.npz    ids, labels (CSR: `indptr` [n + 1], `indices`), shape and checksums; it is given its
                  name last, and so tells that the shard is whole
"""

from __future__ import annotations

import dataclasses
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.errors import UserError


class DamagedShard(UserError):
    """A shard's bytes are not those written; what builds the store computes it again."""


@dataclasses.dataclass
class Shard:
    """A shard, memory-mapped: features [n, D], ids [n], labels as CSR (`indptr` [n + 1], `indices`), (n, D), checksums."""

    path: str  # of the features
    features: np.ndarray
    ids: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    shape: np.ndarray
    checksums: np.ndarray

    def read_into(self, out: np.ndarray, low: int) -> None:
        """Fill `out` [m, D], contiguous, with the features from row `low` on.

        It reads the file, because the pages of a map count as this process's memory once more.

        Raises:
          DamagedShard: there are no longer so many.
        """
        with open(self.path, "rb") as f:
            f.seek(low * out.shape[1] * out.itemsize)
            if f.readinto(_bytes(out)) != out.nbytes:
                raise DamagedShard(
                    f"{self.path} has lost a part of what it held; the same command computes it again."
                )


def map_shard(folder: str, index: int, dtype: np.dtype) -> Shard | None:
    """Return a shard with nothing of it read yet; None if it is not there or not whole.

    Each array holds a file open: let go of one shard before the next.

    Raises:
      DamagedShard: its rows file cannot be read.
    """
    features, rows = _paths(folder, index)
    if not os.path.exists(rows) or not os.path.exists(features):
        return None
    try:
        arrays = _mapped(rows)
        n, width = (int(x) for x in arrays["shape"])
        parts = [arrays[key] for key in ("ids", "indptr", "indices", "shape", "checksums")]
    except OSError:
        raise
    except (
        Exception
    ) as error:  # damage has as many classes as there are bytes in the head of a file
        raise _damaged(folder, index, str(error)) from error
    if os.path.getsize(features) != n * width * dtype.itemsize:
        return None
    return Shard(features, _map(features, dtype, 0, (n, width)), *parts)


def read_shard(folder: str, index: int, dtype: np.dtype, verify: bool = False) -> Shard | None:
    """Return a shard whose rows were read once and hold against their checksums; None if it is not there or not whole.

    Args:
      folder, index, dtype: of the store, the shard, the features.
      verify: read the features as well.

    Raises:
      DamagedShard: the bytes are not those written.
    """
    shard = map_shard(folder, index, dtype)
    if shard is None:
        return None
    try:
        with zipfile.ZipFile(_paths(folder, index)[1]) as f:
            wrong = f.testzip()  # a part after the other, so that it takes no memory
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        zlib.error,
        NotImplementedError,
        struct.error,
    ) as error:
        raise _damaged(folder, index, str(error)) from error
    if wrong or (verify and list(shard.checksums) != _checksums(shard)):
        raise _damaged(folder, index, "its checksum is not that of what was written")
    return shard


def _damaged(folder: str, index: int, why: str) -> DamagedShard:
    features, rows = _paths(folder, index)
    return DamagedShard(
        f"{features} or {rows} is damaged: {why}. The same command computes the two again."
    )


def _mapped(path: str) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file that is not compressed, each memory-mapped."""
    arrays = {}
    with zipfile.ZipFile(path) as members, open(path, "rb") as f:
        for member in members.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            f.seek(
                member.header_offset + 26
            )  # there are the lengths of what comes before the array
            name, extra = struct.unpack("<HH", f.read(4))
            f.seek(member.header_offset + 30 + name + extra)
            if np.lib.format.read_magic(f) != (1, 0):
                raise ValueError(f"{member.filename} is of another version")
            shape, _, dtype = np.lib.format.read_array_header_1_0(f)
            if dtype.hasobject:
                raise ValueError(f"{member.filename} holds no numbers")
            arrays[member.filename[: -len(".npy")]] = _map(path, dtype, f.tell(), shape)
    return arrays


def _map(path: str, dtype: np.dtype, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    if 0 in shape:
        return np.zeros(shape, dtype)  # nothing cannot be mapped
    return np.asarray(np.memmap(path, dtype, "r", offset, shape))


class ShardWriter:
    """Appends batches to a shard, which is there only when it is closed."""

    def __init__(self, folder: str, index: int, dtype: np.dtype):
        self._features, self._rows = _paths(folder, index)
        self._dtype, self._crc, self._n, self._width = dtype, 0, 0, 0
        self._counts: list[np.ndarray] = []
        self._indices: list[np.ndarray] = []
        self._ids: list[bytes] = []
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
        indptr = np.concatenate(
            [[0], np.cumsum(np.concatenate(self._counts or [np.zeros(0, np.int64)]))]
        ).astype(np.int64)
        indices = np.concatenate(self._indices or [np.zeros(0, np.int32)])
        ids = np.asarray(self._ids or np.zeros(0, "S1"), dtype="S")
        arrays = {
            "ids": ids,
            "indptr": indptr,
            "indices": indices,
            "shape": np.asarray([self._n, self._width]),
        }
        sums = [self._crc, *(zlib.crc32(_bytes(a)) for a in (indptr, indices, ids))]
        with open(self._rows + ".tmp", "wb") as f:
            np.savez(f, checksums=np.asarray(sums, np.int64), **arrays)
            f.flush()
            os.fsync(f.fileno())
        os.replace(self._features + ".tmp", self._features)
        os.replace(self._rows + ".tmp", self._rows)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()
            os.remove(self._features + ".tmp")


def _paths(folder: str, index: int) -> tuple[str, str]:
    return os.path.join(folder, f"{index:05d}.features"), os.path.join(
        folder, f"{index:05d}.rows.npz"
    )


def _checksums(shard: Shard) -> list[int]:
    crc = 0
    for start in range(0, len(shard.features), 4096):
        crc = zlib.crc32(_bytes(shard.features[start : start + 4096]), crc)
    return [crc, *(zlib.crc32(_bytes(a)) for a in (shard.indptr, shard.indices, shard.ids))]


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
