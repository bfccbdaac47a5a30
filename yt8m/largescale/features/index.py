"""The index of a feature store: what its reader has to know of all shards, in one small file.

    index    one line of JSON; the sizes int64 [n], stamps uint32 [n] and label counts int64 [K]

It is written when every shard is complete, and removed before one of them is computed again. So a
store with an index is complete, and opening it looks at no shard. The line begins with a checksum
of all that follows. The numbers are little-endian.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os

import numpy as np

from yt8m import stored
from yt8m.files import write_bytes
from yt8m.largescale.storage import objects
from yt8m.stored import intact

INDEX = "index"
_ADVICE = "the same command makes it again."
_LARGEST = 4 << 30  # bytes


@dataclasses.dataclass(frozen=True)
class StoreIndex:
    """What a feature store contains.

    Attributes:
      plan: the digest of the store's plan, see `yt8m.largescale.features.plan.FeaturePlan.write`.
      dtype: the name of the features' type.
      width: D.
      sizes: the number of videos in each shard, int64 [n].
      stamps: `yt8m.largescale.features.shard.Shard.stamp` of each shard, uint32 [n].
      label_counts: the number of positives of each class, int64 [K].
    """

    plan: str
    dtype: str
    width: int
    sizes: np.ndarray
    stamps: np.ndarray
    label_counts: np.ndarray

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        about = {
            "plan": self.plan,
            "dtype": self.dtype,
            "width": int(self.width),
            "shards": len(self.sizes),
            "classes": len(self.label_counts),
        }
        numbers = (self.sizes.astype("<i8"), self.stamps.astype("<u4"))
        parts = [*numbers, self.label_counts.astype("<i8")]
        rest = b"\n".join([json.dumps(about).encode(), b"".join(p.tobytes() for p in parts)])
        return hashlib.sha1(rest).hexdigest().encode() + b" " + rest

    @classmethod
    def from_bytes(cls, content: bytes) -> StoreIndex:
        """Return what `to_bytes` wrote.

        Raises:
          ValueError: the bytes are not those that were written.
        """
        digest, _, rest = content.partition(b" ")
        if hashlib.sha1(rest).hexdigest().encode() != digest:
            raise ValueError("its checksum differs from the one that was written")
        line, _, numbers = rest.partition(b"\n")
        about = json.loads(line)
        shards, classes = about["shards"], about["classes"]
        return cls(
            about["plan"],
            about["dtype"],
            about["width"],
            np.frombuffer(numbers, "<i8", shards),
            np.frombuffer(numbers, "<u4", shards, 8 * shards),
            np.frombuffer(numbers, "<i8", classes, 12 * shards),
        )


def read_index(folder: str) -> StoreIndex | None:
    """Return the index of a store in a folder or in a store of objects, or None if there is none.

    Raises:
      Damaged: it is not what was written.
    """
    path = os.path.join(folder, INDEX)
    if "://" in folder:
        content = objects.read(path)
    else:
        with intact(path, _ADVICE):
            content = stored.read_bytes(path, _LARGEST) if stored.exists(path) else None
    if content is None:
        return None
    with intact(path, _ADVICE):
        return StoreIndex.from_bytes(content)


def write_index(folder: str, index: StoreIndex) -> None:
    """Write the index of a store, all of whose shards are complete."""
    path = os.path.join(folder, INDEX)
    if "://" not in folder:
        write_bytes(path, index.to_bytes())
        return
    with objects.writing(path) as out:
        out.write(index.to_bytes())


def remove_index(folder: str) -> None:
    """Let the next build look at every shard, because one of them is not what it was."""
    objects.remove(os.path.join(folder, INDEX))
