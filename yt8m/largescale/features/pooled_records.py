"""A frozen frame network's pooled output for every video, as video-level records.

Any video-level model can train on these records. Features of whole videos that the run names (an
embedding) are kept in them too, each under its own name.

Frame-level records of a terabyte become one vector for each video, once. Each shard of frames gives
one shard of the same number, which is either complete or absent, so that a killed job can continue.
Workers on other machines need a folder that they share.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.data.files import shards
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import read_batches
from yt8m.data.records.writers import video_record, write_shard
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.executors import Executor, Shared, warm
from yt8m.largescale.features.plan import Compute
from yt8m.largescale.tasks.run_shards import run_shards
from yt8m.largescale.tasks.shipped_model import ShippedModel, fingerprint
from yt8m.models.core.base import FrameModel, Yt8mModel
from yt8m.runs.provenance import Provenance
from yt8m.runs.stop_signal import StopSignal

FEATURE = "pooled_frames"  # the feature in the records, and the model's method that computes it
ABOUT = "about.json"


@dataclasses.dataclass(frozen=True)
class ReadSettings:
    """How a shard of frames is read."""

    schema: RecordSchema
    batch_size: int
    max_bad_records: int


def pooled_frames_by(model: Yt8mModel) -> Compute:
    """Return the function from a batch to its pooled frames, float32 [n, W], in inference mode."""
    # Only the frames are its inputs, whatever else the network's own run appended to their vector.
    pooled = tf.function(
        lambda inputs: model.pooled_frames(inputs, training=False), reduce_retracing=True
    )
    keys = FrameModel.input_keys
    return lambda batch: tf.cast(pooled({k: batch[k] for k in keys}), tf.float32).numpy()


def pool_shard(task: tuple[str, str], shared: Shared) -> int:
    """Write the pooled records of one shard.

    Args:
      task: the path of the shard, and the path of the new one.
      shared: "model" (`ShippedModel`) and "settings" (`ReadSettings`).

    Returns:
      How many of the shard's records were broken.
    """
    source, target = task
    settings: ReadSettings = shared["settings"].value
    model: ShippedModel = shared["model"].value
    compute: Compute = warm(shared["model"].key, lambda: pooled_frames_by(model.make()))
    bad = BadRecords(settings.max_bad_records)

    def records() -> Iterator[bytes]:
        schema = settings.schema
        for batch in read_batches([source], schema, bad, batch_size=settings.batch_size):
            labels = batch["labels"].numpy()
            features = {FEATURE: compute(batch), **_features_of_videos(batch, schema)}
            for i, video_id in enumerate(batch["id"].numpy()):
                row = {name: values[i] for name, values in features.items()}
                yield video_record(video_id, row, np.flatnonzero(labels[i]))

    with bad.explained(settings.schema.num_classes):
        write_shard(target, records())
    return len(bad.found)


def _features_of_videos(batch: dict[str, tf.Tensor], schema: RecordSchema) -> dict[str, np.ndarray]:
    """Return each feature of whole videos that the schema names, [n, size]."""
    if not schema.video_names:
        return {}
    parts = np.split(batch["video"].numpy(), np.cumsum(schema.video_sizes)[:-1], axis=-1)
    return dict(zip(schema.video_names, parts))


def pooled_schema(schema: RecordSchema, width: int) -> RecordSchema:
    """Return the schema of the pooled records.

    Args:
      schema: the schema of the frame-level records. Its features of whole videos follow the pooled
        frames.
      width: W, the size of the pooled output.
    """
    names, sizes = (FEATURE, *schema.video_names), (width, *schema.video_sizes)
    return RecordSchema("video", names, sizes, schema.num_classes)


_INPUTS = {"network": "another frame network", "files": "other shards", "data": "other data"}


def _check_same(made: Provenance, folder: str) -> None:
    """Refuse a folder whose records were made from something else.

    Raises:
      UserError: shows what they were made from.
    """
    changed = made.changed()
    if not changed:
        return
    then, now = (_described((about or {}).get("data")) for about in (made.before, made.now))
    shown = f" (then {then}, now {now})" if "data" in changed else ""
    others = " and ".join(_INPUTS[name] for name in changed)
    raise UserError(
        f"{folder} contains pooled records of {others}{shown}, on which this run's video-level half"
        " was trained. Restore the original inputs, name another --train_dir, or use"
        " --start_new_model."
    )


def _described(data: dict[str, Any] | None) -> str:
    if not data:
        return "not recorded"
    return f"{data['shards']} shards of {data['bytes']:,} bytes, sha1 {data['sha1'][:8]}"


def pool_records(
    executor: Executor,
    model: Yt8mModel,
    files: list[str],
    schema: RecordSchema,
    folder: str,
    batch_size: int = 64,
    max_bad_records: int = 0,
    stop: StopSignal | None = None,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Return the shards of pooled records of all frames; missing ones are made.

    Args:
      executor: runs the tasks.
      model: a built and registered model with `pooled_frames`.
      files: shards of frame-level records.
      schema: schema of those records.
      folder: the folder of the new shards.
      batch_size: how many videos are computed together.
      max_bad_records: how many broken records may be skipped in total.
      stop: checked between shards.
      say: prints a line.

    Raises:
      Stopped: `stop` was set. The same call continues with the missing shards.
      UserError: the folder contains records of another network or data, or too many records are
        broken.
    """
    about = {"network": fingerprint(model), "files": list(files), "data": shards.fingerprint(files)}
    made = Provenance(os.path.join(folder, ABOUT), about)
    _check_same(made, folder)
    made.record()
    names = [f"{i:05d}.tfrecord" for i in range(len(files))]
    there = set(tf.io.gfile.listdir(folder))
    targets = [os.path.join(folder, name) for name in names]
    missing = [(f, t) for f, t, name in zip(files, targets, names) if name not in there]
    if missing:
        say(f"pooling the frames of {len(missing)} of {len(files)} shards")
        shared: dict[str, Any] = {
            "model": executor.broadcast(ShippedModel.before_head(model)),
            "settings": executor.broadcast(ReadSettings(schema, batch_size, max_bad_records)),
        }
        stop = stop or StopSignal()
        run_shards(executor, pool_shard, missing, shared, max_bad_records, stop)
    return targets
