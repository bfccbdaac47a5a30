"""The inputs of a feature store, recorded beside its shards in `plan.json`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from typing import Callable, Literal

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import fingerprint
from yt8m.data.pipeline import read_batches
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError, one_of
from yt8m.largescale.features.place import ShardPlace
from yt8m.largescale.features.shard import ShardWriter
from yt8m.largescale.storage import objects
from yt8m.largescale.storage.cache import CACHE_BYTES
from yt8m.largescale.tasks.shared_folder import not_shared
from yt8m.runs.provenance import Provenance

PLAN = "plan.json"
Compute = Callable[[dict[str, tf.Tensor]], np.ndarray]  # a batch -> features [n, D]
StoredDtype = Literal["float32", "float16", "bfloat16"]


def numpy_dtype(name: str) -> np.dtype:
    """Return NumPy's type for "float32", "float16" or "bfloat16".

    Raises:
      ValueError: the name is another one.
    """
    one_of("the type of features", name, StoredDtype)
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)


@dataclasses.dataclass(frozen=True)
class FeaturePlan:
    """The features of some records.

    Attributes:
      folder: the store's folder, or its address in a store of objects.
      files: shards of records, each of which gives a shard of features.
      schema: schema of the records.
      dtype: "float32", "float16" or "bfloat16", in which the features are kept.
      about: identifies what computes them, such as a fingerprint of the weights.
      batch_size: how many videos are computed together.
      cache_bytes: how many bytes of copies a node keeps of a store of objects.
      digest: identifies all of this; `write` determines it.
    """

    folder: str
    files: list[str]
    schema: RecordSchema
    dtype: StoredDtype = "float32"
    about: str = ""
    batch_size: int = 512
    cache_bytes: int = CACHE_BYTES
    digest: str = ""

    def write(self) -> FeaturePlan:
        """Record the plan in its folder, and return it with its digest.

        Raises:
          UserError: the folder contains the features of something else.
        """
        if "://" not in self.folder:
            digest, _ = self._record(self.folder)
        else:
            address = os.path.join(self.folder, PLAN)
            with tempfile.TemporaryDirectory() as here:
                objects.get(address, os.path.join(here, PLAN))
                digest, new = self._record(here)
                if new:
                    objects.put(os.path.join(here, PLAN), address)
        return dataclasses.replace(self, digest=digest)

    def _record(self, folder: str) -> tuple[str, bool]:
        """Record the plan in a local folder; return its digest, and whether none was there."""
        plan = {
            "format": 1,
            "sources": self.files,
            "num_classes": self.schema.num_classes,
            "dtype": self.dtype,
            "about": self.about,
            "data": fingerprint(self.files),
            # The names and their order: the width alone does not tell them apart, and runs may
            # share a folder that --cache names.
            "schema": dataclasses.asdict(self.schema),
        }
        made = Provenance(os.path.join(folder, PLAN), plan)
        if made.changed():
            differ = ", ".join(made.changed())
            raise UserError(
                f"{self.folder} contains the features of something else ({PLAN}: other {differ});"
                " delete that folder, or name another."
            )
        new = made.before is None
        made.record()
        return hashlib.sha1(json.dumps(made.now).encode()).hexdigest(), new

    def place(self) -> ShardPlace:
        """Return where the shards are, once the plan was written."""
        return ShardPlace(self.folder, self.digest, self.cache_bytes)

    def without_files(self) -> FeaturePlan:
        """Return what a task needs: a million names would be unpacked with each call."""
        return dataclasses.replace(self, files=[])

    def compute_shard(self, index: int, file: str, compute: Compute, bad: BadRecords) -> None:
        """Compute and write the features of one shard.

        Args:
          index: the index of the shard.
          file: its records.
          compute: maps a batch (as `read_batches` yields it) to features [n, D].
          bad: counts broken records.

        Raises:
          UserError: the records are not there, or too many are broken.
        """
        schema = self.schema
        if not tf.io.gfile.exists(file):  # reading never ends if broken records may be skipped
            raise not_shared(f"The records {file} are not there")
        place = self.place()
        writer = ShardWriter(place.folder, index, numpy_dtype(self.dtype))
        with bad.explained(schema.num_classes), writer as out:
            for batch in read_batches([file], schema, bad, batch_size=self.batch_size):
                out.add(np.asarray(compute(batch)), batch["labels"].numpy(), batch["id"].numpy())
        place.publish(index)
