"""One shard of a feature store on disk: complete or absent, checksummed, and memory-mapped.

    00000.features    features [n, D], raw bytes
    00000.rows.npz    ids, labels (CSR: `indptr` [n + 1], `indices`), the shape and the checksums

The second file gets its name last. Its presence marks the shard as complete.
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
from yt8m.stored import check_size

_LARGEST = 1 << 43  # bytes
_BLOCK = 1 << 15  # bytes whose checksum is computed at a time
_UNREADABLE = (zipfile.BadZipFile, EOFError, ValueError, zlib.error, NotImplementedError)


class DamagedShard(UserError):
    """An error for a shard whose bytes have changed; the same command computes it again."""


@dataclasses.dataclass
class Shard:
    """A memory-mapped shard.

    Attributes:
      path: the path of the features.
      features: the features [n, D].
      ids: the videos' ids [n].
      indptr: where each video's labels start in `indices`, [n + 1].
      indices: the labels.
      shape: (n, D).
      checksums: CRC-32 of features, `indptr`, `indices` and `ids`.
    """

    path: str
    features: np.ndarray
    ids: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    shape: np.ndarray
    checksums: np.ndarray

    @property
    def stamp(self) -> int:
        """A number that tells this content from any other: the CRC-32 of checksums and shape."""
        return zlib.crc32(_bytes(self.shape), zlib.crc32(_bytes(self.checksums)))

    def read_into(self, out: np.ndarray, low: int) -> None:
        """Fill `out` [m, D], contiguous, with the features from row `low` on.

        This reads the file, because the pages of a map would count as this process's memory again.

        Raises:
          DamagedShard: the file has become too short.
        """
        with open(self.path, "rb") as f:
            f.seek(low * out.shape[1] * out.itemsize)
            if f.readinto(_bytes(out)) != out.nbytes:
                raise DamagedShard(
                    f"{self.path} is shorter than it was; the same command recomputes it."
                )


def map_shard(folder: str, index: int, dtype: np.dtype, with_features: bool = True) -> Shard | None:
    """Return a shard without reading any of it, or None if it is missing or incomplete.

    Each array keeps a file open: release one shard before the next.

    Raises:
      DamagedShard: its rows file cannot be read.
    """
    features, rows = shard_files(folder, index)
    if not os.path.exists(rows) or not (os.path.exists(features) or not with_features):
        return None
    try:
        for path in (rows, features) if with_features else (rows,):
            check_size(path, _LARGEST)
        arrays = _mapped(rows)
        n, width = (int(x) for x in arrays["shape"])
        parts = [arrays[key] for key in ("ids", "indptr", "indices", "shape", "checksums")]
        if not with_features:
            return Shard(features, np.empty((n, 0), dtype), *parts)
        if os.path.getsize(features) != n * width * dtype.itemsize:
            return None
        return Shard(features, _map(features, dtype, 0, (n, width)), *parts)
    except OSError:
        raise
    except Exception as error:  # a damaged header can raise almost any class
        raise _damaged(folder, index, str(error)) from error


def read_shard(
    folder: str,
    index: int,
    dtype: np.dtype,
    verify: bool = False,
    with_features: bool = True,
) -> Shard | None:
    """Return a shard after its rows were read once and compared with their checksums.

    Args:
      folder: the store's folder.
      index: the index of the shard.
      dtype: the type of the features.
      verify: compare the features with their checksum too.
      with_features: False needs no features, and gives [n, 0] in their place.

    Returns:
      The shard, or None if it is missing or incomplete.

    Raises:
      DamagedShard: the bytes are not those that were written.
    """
    shard = map_shard(folder, index, dtype, with_features)
    if shard is None:
        return None
    try:
        with zipfile.ZipFile(shard_files(folder, index)[1]) as f:
            for name in f.namelist():
                with f.open(name) as member:  # whose end compares it with its checksum
                    while member.read(_BLOCK):
                        pass
    except (*_UNREADABLE, struct.error) as error:
        raise _damaged(folder, index, str(error)) from error
    if verify and list(shard.checksums) != _checksums(shard):
        raise _damaged(folder, index, "its checksum differs from the one that was written")
    return shard


def _damaged(folder: str, index: int, why: str) -> DamagedShard:
    features, rows = shard_files(folder, index)
    return DamagedShard(
        f"{features} or {rows} is damaged: {why}. The same command recomputes both."
    )


def _mapped(path: str) -> dict[str, np.ndarray]:
    """Return the arrays of an uncompressed .npz file, each memory-mapped."""
    arrays = {}
    with zipfile.ZipFile(path) as members, open(path, "rb") as f:
        for member in members.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            # The lengths of the name and of the extra field precede the array in the local header.
            f.seek(member.header_offset + 26)
            name, extra = struct.unpack("<HH", f.read(4))
            f.seek(member.header_offset + 30 + name + extra)
            if np.lib.format.read_magic(f) != (1, 0):
                raise ValueError(f"{member.filename} has another format version")
            shape, _, dtype = np.lib.format.read_array_header_1_0(f)
            if dtype.hasobject:
                raise ValueError(f"{member.filename} contains objects, not numbers")
            arrays[member.filename[: -len(".npy")]] = _map(path, dtype, f.tell(), shape)
    return arrays


def _map(path: str, dtype: np.dtype, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    if 0 in shape:
        return np.zeros(shape, dtype)  # an empty array cannot be mapped
    return np.asarray(np.memmap(path, dtype, "r", offset, shape))


class ShardWriter:
    """Appends batches to a shard, which appears only when it is closed."""

    def __init__(self, folder: str, index: int, dtype: np.dtype):
        self._features, self._rows = shard_files(folder, index)
        self._dtype, self._crc, self._n, self._width = dtype, 0, 0, 0
        self._counts: list[np.ndarray] = []
        self._indices: list[np.ndarray] = []
        self._ids: list[bytes] = []
        self._file = open(self._features + ".tmp", "wb")  # noqa: SIM115 (closed by close)

    def add(self, features: np.ndarray, labels: np.ndarray, ids: Sequence[bytes]) -> None:
        """Append features [n, D], multi-hot labels [n, K] and ids [n]."""
        data = np.ascontiguousarray(features, self._dtype)
        self._file.write(_bytes(data))
        self._crc = zlib.crc32(_bytes(data), self._crc)
        self._n, self._width = self._n + len(data), data.shape[1]
        positive = np.asarray(labels) > 0
        self._counts.append(positive.sum(1))
        self._indices.append(np.nonzero(positive)[1].astype(np.int32))
        self._ids += [i.encode() if isinstance(i, str) else i for i in ids]

    def close(self) -> None:
        """Write both files to disk and name them; the second name marks the shard as complete."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        counts = np.concatenate(self._counts or [np.zeros(0, np.int64)])
        arrays: dict[str, Any] = {
            "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            "indices": np.concatenate(self._indices or [np.zeros(0, np.int32)]),
            "ids": np.asarray(self._ids or np.zeros(0, "S1"), dtype="S"),
        }
        sums = np.asarray([self._crc, *(zlib.crc32(_bytes(a)) for a in arrays.values())], np.int64)
        shape = np.asarray([self._n, self._width])
        with open(self._rows + ".tmp", "wb") as f:
            np.savez(f, checksums=sums, shape=shape, **arrays)
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


def shard_files(folder: str, index: int) -> tuple[str, str]:
    """Return the files of a shard: its features, and its rows, which are written last."""
    stem = os.path.join(folder, f"{index:05d}")
    return stem + ".features", stem + ".rows.npz"


def _checksums(shard: Shard) -> list[int]:
    crc = 0
    with open(shard.path, "rb") as f:  # the pages of a map would count as this process's memory
        while block := f.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return [crc, *(zlib.crc32(_bytes(a)) for a in (shard.indptr, shard.indices, shard.ids))]


def _bytes(array: np.ndarray) -> Any:
    """Return the bytes of an array, without a copy if it is contiguous."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
