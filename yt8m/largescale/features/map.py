"""The video-level features v of all videos by a frozen aggregator, one shard for each task.

Workers on other machines write into the same folder, so all nodes of a cluster must share it.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.schema import RecordSchema
from yt8m.largescale.executors import Executor, Shared, warm
from yt8m.largescale.features.shard import map_shard
from yt8m.largescale.features.store import (
    PLAN,
    FeatureStore,
    build_feature_store,
    is_whole,
    numpy_dtype,
    write_plan,
    write_shard,
)
from yt8m.largescale.tasks.run_shards import run_shards
from yt8m.largescale.tasks.shared_folder import (
    LOCAL,
    absolute,
    check_plan,
    local_folder,
    not_shared,
)
from yt8m.largescale.tasks.shipped_model import ShippedModel, fingerprint
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.stop_signal import StopSignal

Compute = Callable[[dict[str, tf.Tensor]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class FeatureSettings:
    """How a shard is read and where its features go; see `build_feature_store`."""

    folder: str
    schema: RecordSchema
    dtype: str
    batch_size: int
    max_bad_records: int


def features_by(model: Yt8mModel) -> Compute:
    """Return the function from a batch to its features v, float32 [n, W], in inference mode."""
    compute = tf.function(
        lambda inputs: model.aggregate(inputs, training=False), reduce_retracing=True
    )
    return lambda batch: tf.cast(compute(model.select_inputs(batch)), tf.float32).numpy()


def shard_features(task: tuple[int, str], shared: Shared) -> int:
    """Compute and write the features of one shard.

    Args:
      task: the index of the shard and its path.
      shared: "model" (`ShippedModel`) and "settings" (`FeatureSettings`).

    Returns:
      How many of the shard's records were broken.
    """
    index, file = task
    settings: FeatureSettings = shared["settings"].value
    check_plan(settings.folder, PLAN)
    model: ShippedModel = shared["model"].value
    compute: Compute = warm(shared["model"].key, lambda: features_by(model.make()))
    bad = BadRecords(settings.max_bad_records)
    write_shard(
        settings.folder,
        index,
        file,
        settings.schema,
        compute,
        settings.dtype,
        settings.batch_size,
        bad,
    )
    return len(bad.found)


def map_features(
    executor: Executor,
    model: Yt8mModel,
    folder: str,
    files: list[str],
    schema: RecordSchema,
    dtype: str = "float32",
    batch_size: int = 512,
    max_bad_records: int = 0,
    stop: StopSignal | None = None,
    say: Callable[[str], None] = print,
) -> FeatureStore:
    """Return the store of a model's features of all records; shards that are there are kept.

    The model computes in inference mode on all frames.

    Args:
      executor: runs the tasks; a local one uses the model itself.
      model: a built model; only its aggregator is used.
      folder: the store's folder.
      files: shards of records.
      schema: what the records hold.
      dtype: the type in which features are kept.
      batch_size: how many videos are computed together.
      max_bad_records: how many broken records may be skipped.
      stop: checked between shards.
      say: prints a line.

    Raises:
      Stopped: `stop` was set. The same call goes on with the shards that are missing.
      UserError: the folder is remote, not shared by all nodes, or holds other features; or too many
        records are broken.
    """
    folder, stop = absolute(local_folder(folder, LOCAL)), stop or StopSignal()
    about = f"aggregate {fingerprint(model)}"
    if executor.local:
        bad = BadRecords(max_bad_records)
        compute = features_by(model)
        return build_feature_store(
            folder, files, schema, compute, dtype, about, batch_size, bad, stop, say
        )
    write_plan(folder, files, schema, dtype, about)
    kept_as = numpy_dtype(dtype)
    missing = [
        (i, absolute(f)) for i, f in enumerate(files) if not is_whole(folder, i, kept_as, say)
    ]
    if missing:
        settings = FeatureSettings(folder, schema, dtype, batch_size, max_bad_records)
        shared: dict[str, Any] = {
            "model": executor.broadcast(ShippedModel.before_head(model)),
            "settings": executor.broadcast(settings),
        }
        run_shards(executor, shard_features, missing, shared, max_bad_records, stop)
        gone = [i for i, _ in missing if map_shard(folder, i, kept_as) is None]
        if gone:
            raise not_shared(
                f"Workers wrote the features of {len(missing)} shards to {folder}, and {len(gone)}"
                " are not there"
            )
    return FeatureStore(folder)
