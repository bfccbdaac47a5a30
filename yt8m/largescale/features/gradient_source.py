"""A feature store's shards as what the full-batch gradient reads: a frozen network's output, computed once (spec D.9)."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from yt8m.errors import UserError
from yt8m.largescale.features.shard import read_shard
from yt8m.largescale.features.store import PLAN, numpy_dtype, read_plan
from yt8m.largescale.tasks.shard_parts import Rows
from yt8m.largescale.tasks.shared_folder import absolute


@dataclasses.dataclass(frozen=True)
class FeatureSource:
    """Features [N, D] of a `FeatureStore`'s folder, for models that take `video`; see `yt8m.largescale.tasks.record_source.Source`.

    Args:
      folder: of the store; every worker must see it under this name.
      num_classes: K.
      dtype: in which the features are kept.
      batch_size: examples a batch; batches run across the shards of a task.
      max_bad_records: not used, the store holds whole examples only.
    """

    folder: str
    num_classes: int
    dtype: str = "float32"
    batch_size: int = 512
    max_bad_records: int = 0

    @classmethod
    def of(cls, folder: str, batch_size: int = 512) -> FeatureSource:
        """Return the source of a store that `build_feature_store` finished."""
        plan = read_plan(folder)
        if plan is None:
            raise UserError(f"{folder} holds no {PLAN}: no features were computed there.")
        return cls(absolute(folder), int(plan["num_classes"]), plan["dtype"], batch_size)

    def shards(self) -> list[str]:
        """Return the paths of the store's features, for `pack_shards`."""
        count = len((read_plan(self.folder) or {"sources": []})["sources"])
        return [os.path.join(self.folder, f"{i:05d}.features") for i in range(count)]

    def batches(
        self, shards: Sequence[str], rows: Rows | None, broken: list[str]
    ) -> Iterator[dict[str, Any]]:
        """Yield {"video": float32 [B, D], "labels": uint8 [B, K]} of the chosen examples, in order."""
        keeps = rows.keeps() if rows else itertools.repeat(True)
        held: list[Any] = []
        for path in shards:
            shard = read_shard(
                self.folder, int(os.path.basename(path).split(".")[0]), numpy_dtype(self.dtype)
            )
            if shard is None:
                raise UserError(
                    f"{path} is not whole; the command that computes the features goes on where it was."
                )
            for i in range(len(shard.features)):
                if next(keeps):
                    held.append(
                        (shard.features[i], shard.indices[shard.indptr[i] : shard.indptr[i + 1]])
                    )
                    if len(held) == self.batch_size:
                        yield self._batch(held)
                        held = []
        if held:
            yield self._batch(held)

    def _batch(self, examples: list[Any]) -> dict[str, Any]:
        labels = np.zeros((len(examples), self.num_classes), np.uint8)
        for row, (_, classes) in zip(labels, examples):
            row[classes] = 1
        return {"video": np.stack([x for x, _ in examples]).astype(np.float32), "labels": labels}
