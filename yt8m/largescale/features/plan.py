"""The inputs of a feature store, recorded beside its shards in `plan.json`."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Sequence
from typing import Any, Callable, Literal

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import fingerprint
from yt8m.data.pipeline import read_batches
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError, one_of
from yt8m.largescale.features.place import ShardPlace
from yt8m.largescale.features.shard import DamagedShard, ShardWriter, map_shard, read_shard
from yt8m.largescale.storage import objects
from yt8m.largescale.storage.cache import CACHE_BYTES
from yt8m.largescale.tasks.shared_folder import not_shared
from yt8m.runs.provenance import Provenance
from yt8m.stored import exists, intact, read_object

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


def read_plan(folder: str) -> dict[str, Any] | None:
    """Return what `FeaturePlan.write` recorded, or None if there is no store."""
    path = os.path.join(folder, PLAN)
    advice = "delete that folder: the same command computes the features again."
    if "://" not in folder:
        return read_object(path, advice) if exists(path) else None
    content = objects.read(path)
    if content is None:
        return None
    with intact(path, advice):
        return dict(json.loads(content))


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
    """

    folder: str
    files: list[str]
    schema: RecordSchema
    dtype: StoredDtype = "float32"
    about: str = ""
    batch_size: int = 512
    cache_bytes: int = CACHE_BYTES

    def write(self) -> None:
        """Record the plan in its folder.

        Raises:
          UserError: the folder contains the features of something else.
        """
        if "://" not in self.folder:
            self._record(self.folder)
            return
        address = os.path.join(self.folder, PLAN)
        with tempfile.TemporaryDirectory() as here:
            objects.get(address, os.path.join(here, PLAN))
            if self._record(here):
                objects.put(os.path.join(here, PLAN), address)

    def _record(self, folder: str) -> bool:
        """Record the plan in a local folder; return whether none was there."""
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
        return new

    def missing(self, say: Callable[[str], None]) -> list[int]:
        """Return the shards that are missing, or damaged (which `say` reports).

        In a store of objects only their names are looked at: whoever copies one compares it.
        """
        if "://" in self.folder:
            return self.missing_of(range(len(self.files)))
        return [i for i in range(len(self.files)) if not self._is_whole(i, say)]

    def missing_of(self, indices: Sequence[int]) -> list[int]:
        """Return those of some shards that are not there, without comparing any bytes."""
        if "://" in self.folder:
            there = self.place().present(len(self.files))
            return [i for i in indices if i not in there]
        dtype = numpy_dtype(self.dtype)
        return [i for i in indices if map_shard(self.folder, i, dtype) is None]

    def _is_whole(self, index: int, say: Callable[[str], None]) -> bool:
        try:
            shard = read_shard(self.folder, index, numpy_dtype(self.dtype), verify=True)
        except DamagedShard as error:
            say(str(error))
            return False
        return shard is not None

    def place(self) -> ShardPlace:
        """Return where the shards are, once the plan was written.

        Raises:
          UserError: the folder is in a store of objects in which there is no plan.
        """
        if "://" not in self.folder:  # There are no copies that a plan would tell apart.
            return ShardPlace(self.folder, "", self.cache_bytes)
        plan = read_plan(self.folder)
        if plan is None:
            raise not_shared(f"{os.path.join(self.folder, PLAN)} is not there")
        return ShardPlace(self.folder, json.dumps(plan), self.cache_bytes)

    def compute_shard(self, index: int, compute: Compute, bad: BadRecords) -> None:
        """Compute and write the features of one shard.

        Args:
          index: the index of the shard.
          compute: maps a batch (as `read_batches` yields it) to features [n, D].
          bad: counts broken records.

        Raises:
          UserError: the records are not there, or too many are broken.
        """
        file, schema = self.files[index], self.schema
        if not tf.io.gfile.exists(file):  # reading never ends if broken records may be skipped
            raise not_shared(f"The records {file} are not there")
        place = self.place()
        writer = ShardWriter(place.folder, index, numpy_dtype(self.dtype))
        with bad.explained(schema.num_classes), writer as out:
            for batch in read_batches([file], schema, bad, batch_size=self.batch_size):
                out.add(np.asarray(compute(batch)), batch["labels"].numpy(), batch["id"].numpy())
        place.publish(index)
