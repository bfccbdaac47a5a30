"""Local copies of shards for later epochs."""

from __future__ import annotations

import hashlib
import os

import tensorflow as tf

from yt8m.listing import FileStatus

_MEMORY = "ram://yt8m-records"  # a file system that TensorFlow keeps in this process


class RecordCache:
    """Keeps copies of the shards for later epochs; the order of the records does not change.

    Args:
      where: "memory", or a local folder (for data on gs://). Every copy is complete, so the copies
        in the folder of a killed run remain useful.
    """

    def __init__(self, where: str):
        self.where = _MEMORY if where == "memory" else where

    def local(self, path: str, status: FileStatus) -> str:
        """Return the path of a shard's copy, which is made now if it does not exist.

        Args:
          path: the shard.
          status: its status now; a shard that was rewritten is copied again.
        """
        key = f"{path} {status.size} {status.modified}"
        stem = hashlib.sha1(key.encode()).hexdigest()[:10] + "-" + os.path.basename(path)
        copy = os.path.join(self.where, stem)
        if not tf.io.gfile.exists(copy):
            tf.io.gfile.makedirs(self.where)
            tf.io.gfile.copy(path, copy + ".tmp", overwrite=True)
            tf.io.gfile.rename(copy + ".tmp", copy, overwrite=True)
        return copy
