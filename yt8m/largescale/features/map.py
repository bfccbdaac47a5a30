"""The video-level features v of all videos from a frozen aggregator, one shard per task.

Workers on other machines write into the same folder, so all nodes of a cluster must share it, or
reach the store of objects that it is in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.largescale.executors import Executor, Shared, progress, warm
from yt8m.largescale.features.plan import PLAN, Compute, FeaturePlan
from yt8m.largescale.features.store import FeatureStore, build_feature_store
from yt8m.largescale.features.survey import complete
from yt8m.largescale.tasks.run_shards import run_shards
from yt8m.largescale.tasks.shared_folder import absolute, check_plan
from yt8m.largescale.tasks.shipped_model import ShippedModel, fingerprint
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.stop_signal import StopSignal


def features_by(model: Yt8mModel) -> Compute:
    """Return the function from a batch to its features v, float32 [n, W], in inference mode."""
    compute = tf.function(
        lambda inputs: model.aggregate(inputs, training=False), reduce_retracing=True
    )
    return lambda batch: tf.cast(compute(model.select_inputs(batch)), tf.float32).numpy()


def shard_features(task: tuple[int, str], shared: Shared) -> int:
    """Compute and write the features of one shard; return how many of its records were broken.

    Args:
      task: the index of the shard, and its records.
      shared: "model" (`ShippedModel`), "plan" (`FeaturePlan`) and "max_bad_records".
    """
    plan: FeaturePlan = shared["plan"].value
    check_plan(plan.folder, PLAN)
    model: ShippedModel = shared["model"].value
    compute: Compute = warm(shared["model"].key, lambda: features_by(model.make()))
    bad = BadRecords(shared["max_bad_records"].value)

    def computed(batch: dict[str, tf.Tensor]) -> np.ndarray:
        progress()
        return compute(batch)

    plan.compute_shard(*task, computed, bad)
    return len(bad.found)


def map_features(
    executor: Executor,
    model: Yt8mModel,
    plan: FeaturePlan,
    max_bad_records: int = 0,
    stop: StopSignal | None = None,
    say: Callable[[str], None] = print,
) -> FeatureStore:
    """Return the store of a model's features for all records; existing shards are kept.

    The model computes in inference mode on all frames.

    Args:
      executor: runs the tasks; a local one uses the model itself.
      model: a built model; only its aggregator is used.
      plan: the store and the records; the model determines its `about`.
      max_bad_records: how many broken records may be skipped.
      stop: checked between shards.
      say: prints a line.

    Raises:
      Stopped: `stop` was set. The same call continues with the missing shards.
      UserError: the folder is not shared by all nodes, or holds other features; or too many
        records are broken.
    """
    plan = dataclasses.replace(
        plan,
        folder=absolute(plan.folder),
        about=f"aggregate {fingerprint(model)}",
    )
    stop = stop or StopSignal()
    if executor.local:
        return build_feature_store(plan, features_by(model), BadRecords(max_bad_records), stop, say)

    def compute_all(plan: FeaturePlan, missing: Sequence[int]) -> None:
        shared: dict[str, Any] = {
            "model": executor.broadcast(ShippedModel.before_head(model)),
            "plan": executor.broadcast(plan.without_files()),
            "max_bad_records": executor.broadcast(max_bad_records),
        }
        # The plan records the files under the names that the run was given.
        tasks = [(index, absolute(plan.files[index])) for index in missing]
        run_shards(executor, shard_features, tasks, shared, max_bad_records, stop)

    complete(plan, executor, compute_all, stop, say)
    return FeatureStore(plan.folder, cache_bytes=plan.cache_bytes)
