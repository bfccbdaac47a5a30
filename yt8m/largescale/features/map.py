"""The video-level features v of all videos by a frozen aggregator, a shard a task, wherever the executor runs them.

Workers on other machines write into the same folder, so a cluster needs one that all its nodes share.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.executors import Executor, Shared, warm
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features.shard import map_shard
from yt8m.largescale.features.store import (
    PLAN,
    FeatureStore,
    build_feature_store,
    is_whole,
    numpy_dtype,
    write_shard,
)
from yt8m.largescale.tasks.shared_folder import (
    LOCAL,
    absolute,
    check_plan,
    local_folder,
    not_shared,
)
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.training.weight_average import tf_variable


@dataclasses.dataclass(frozen=True)
class FeatureJob:
    """What a worker makes its aggregator from.

    Attributes:
      model, arguments: of the registered model (arguments as JSON), without its head's size.
      weights: of the aggregator, those that are not trained included, in the model's order.
      method: which of the model's methods computes: "aggregate", or "pooled_frames".
      policy: Keras's, e.g. "float32".
      folder, schema, dtype, batch_size, max_bad_records: see `build_feature_store`.
    """

    model: str
    arguments: str
    weights: tuple[np.ndarray, ...]
    method: str
    policy: str
    folder: str
    schema: RecordSchema
    dtype: str
    batch_size: int
    max_bad_records: int

    def make(self) -> Callable[[dict[str, tf.Tensor]], np.ndarray]:
        """Return what computes a batch's features."""
        tf.keras.mixed_precision.set_global_policy(self.policy)
        model = registry.create(self.model, **json.loads(self.arguments)).build_weights()
        for variable, value in zip(before_head(model), self.weights):
            tf_variable(variable).assign(value)
        return computing(model, self.method)


def before_head(model: Yt8mModel) -> list[Any]:
    """Return every weight of a model but its head's, in its order."""
    of_head = {id(v) for v in model.head.weights}
    return [v for v in model.weights if id(v) not in of_head]


def computing(model: Yt8mModel, method: str) -> Callable[[dict[str, tf.Tensor]], np.ndarray]:
    """Return batch -> features float32 [n, W], by a method of the model in inference mode."""
    compute = tf.function(
        lambda inputs: getattr(model, method)(inputs, training=False), reduce_retracing=True
    )
    return lambda batch: tf.cast(compute(model.select_inputs(batch)), tf.float32).numpy()


def shard_features(task: tuple[int, str], shared: Shared) -> int:
    """Compute and write the features of one shard; return how many records of it were broken."""
    index, file = task
    job: FeatureJob = shared["job"].value
    check_plan(job.folder, PLAN)
    compute = warm(shared["job"].key, job.make)
    bad = BadRecords(job.max_bad_records)
    write_shard(job.folder, index, file, job.schema, compute, job.dtype, job.batch_size, bad)
    return len(bad.found)


def fingerprint(model: Yt8mModel) -> str:
    """Return a hash of a model's class and of its weights before the head, which tells one aggregator's features from another's."""
    found = hashlib.sha1(type(model).__name__.encode())
    for variable in before_head(model):
        found.update(np.ascontiguousarray(tf_variable(variable).numpy()).tobytes())
    return found.hexdigest()


def map_features(
    executor: Executor,
    model: Yt8mModel,
    folder: str,
    files: list[str],
    schema: RecordSchema,
    dtype: str = "float32",
    batch_size: int = 512,
    max_bad_records: int = 0,
    method: str = "aggregate",
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> FeatureStore | None:
    """Return the store of a model's features of all records, all frames, in inference mode; what is there is kept.

    Args:
      executor: runs the tasks; in this process the model itself computes.
      model: built; only what is before its head is used.
      folder: of the store.
      files, schema: the records.
      dtype: in which features are kept.
      batch_size: videos computed together.
      max_bad_records: broken records that may be skipped.
      method: "aggregate" for v; "pooled_frames" for a frame network's pooled output.
      stop: asked between shards; True ends the work, and None is returned.
      say: prints.

    Raises:
      UserError: the folder is remote, not shared by all nodes, or holds other features; records are broken.
    """
    folder = absolute(local_folder(folder, LOCAL))
    about = f"{method} {fingerprint(model)}"
    bad = BadRecords(max_bad_records)
    here = isinstance(executor, InProcessExecutor)
    compute = computing(model, method)
    # For other executors this writes or checks the plan alone.
    store = build_feature_store(
        folder,
        files,
        schema,
        compute,
        dtype,
        about,
        batch_size,
        bad,
        stop if here else lambda: True,
        say,
    )
    if here:
        return store
    missing = [
        (i, absolute(f))
        for i, f in enumerate(files)
        if not is_whole(folder, i, numpy_dtype(dtype), say)
    ]
    if missing:
        arguments = {**model.get_config(), "groups": None}  # a worker needs no large head
        job = FeatureJob(
            registry.name_of(type(model)), json.dumps(arguments), tuple(np.array(tf_variable(v)) for v in before_head(model)),
            method, tf.keras.mixed_precision.global_policy().name, folder, schema, dtype, batch_size, max_bad_records,
        )  # fmt: skip
        handle = executor.broadcast(job, f"features-{about}-{os.path.basename(folder)}")
        broken = 0
        for _, found in executor.map(shard_features, missing, {"job": handle}):
            broken += found
            if broken > max_bad_records:
                raise UserError(
                    f"{broken} broken records were met, and --max_bad_records={max_bad_records} allows no more."
                )
            if stop():
                return None
        gone = [i for i, _ in missing if map_shard(folder, i, numpy_dtype(dtype)) is None]
        if gone:
            raise not_shared(
                f"Workers wrote the features of {len(missing)} shards to {folder}, and {len(gone)} are not there"
            )
    return FeatureStore(folder)
