"""A frozen frame network's pooled output of every video, as video-level records that any video-level model trains on.

Features of whole videos that the run names (an embedding) come along, each under its own name.

Frame-level records of a terabyte become one vector a video, once. Each shard of frames gives one shard of the same
name, whole or not there at all, so that a making that was killed goes on; workers elsewhere need a folder they share.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
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
from yt8m.largescale.features.map import before_head, fingerprint
from yt8m.models.core import registry
from yt8m.models.core.base import FrameModel, Yt8mModel
from yt8m.training.weight_average import tf_variable

FEATURE = (
    "pooled_frames"  # the feature's name in the records, and the model's method that computes it
)
ABOUT = "about.json"
_numbers = itertools.count()


@dataclasses.dataclass(frozen=True)
class PoolJob:
    """What a worker makes the frame network from, and how it reads.

    Attributes:
      model, arguments: of the registered model, arguments as JSON.
      weights: of all before its head, in its order.
      policy: Keras's.
      schema: of the frames.
      batch_size, max_bad_records: of the reading.
    """

    model: str
    arguments: str
    weights: tuple[np.ndarray, ...]
    policy: str
    schema: RecordSchema
    batch_size: int
    max_bad_records: int

    def make(self) -> Callable[[dict[str, tf.Tensor]], np.ndarray]:
        """Return what computes a batch's vectors [n, W]."""
        tf.keras.mixed_precision.set_global_policy(self.policy)
        model = registry.create(self.model, **json.loads(self.arguments)).build_weights()
        for variable, value in zip(before_head(model), self.weights):
            tf_variable(variable).assign(value)
        # The frames alone, whatever else the network's own run put behind them.
        pooled = tf.function(
            lambda inputs: model.pooled_frames(inputs, training=False), reduce_retracing=True
        )
        return lambda batch: tf.cast(
            pooled({k: batch[k] for k in FrameModel.input_keys}), tf.float32
        ).numpy()


def pool_shard(task: tuple[str, str], shared: Shared) -> int:
    """Write the pooled records of one shard (its path, and the new one's); return how many of its records were broken."""
    source, target = task
    job: PoolJob = shared["job"].value
    compute = warm(shared["job"].key, job.make)
    bad = BadRecords(job.max_bad_records)

    def records() -> Iterator[bytes]:
        for batch in read_batches([source], job.schema, bad, batch_size=job.batch_size):
            labels = batch["labels"].numpy()
            parts = {FEATURE: compute(batch), **_of_videos(batch, job.schema)}
            for i, video_id in enumerate(batch["id"].numpy()):
                yield video_record(
                    video_id, {k: v[i] for k, v in parts.items()}, np.flatnonzero(labels[i])
                )

    with bad.explained(job.schema.num_classes):
        write_shard(target, records())
    return len(bad.found)


def _of_videos(batch: dict[str, tf.Tensor], schema: RecordSchema) -> dict[str, np.ndarray]:
    """Return each feature of whole videos that the schema names, [n, size]."""
    if not schema.video_names:
        return {}
    parts = np.split(batch["video"].numpy(), np.cumsum(schema.video_sizes)[:-1], axis=-1)
    return dict(zip(schema.video_names, parts))


def pooled_schema(schema: RecordSchema, width: int) -> RecordSchema:
    """Return the schema of the records that come from frames of another, its features of whole videos behind the pooled."""
    names, sizes = (FEATURE, *schema.video_names), (width, *schema.video_sizes)
    return RecordSchema("video", names, sizes, schema.num_classes)


def _check_same(old: dict[str, Any], new: dict[str, Any], folder: str) -> None:
    """Refuse to go on with records that were made from something else.

    Raises:
      UserError: says what it was.
    """
    what = {"network": "another frame network", "files": "other shards", "data": "other data"}
    differ = [name for key, name in what.items() if old.get(key) != new[key]]
    if differ:
        then, now = (_in_words(about.get("data")) for about in (old, new))
        shown = f" (then {then}, now {now})" if "other data" in differ else ""
        raise UserError(
            f"{folder} holds pooled records of {' and '.join(differ)}{shown}, on which this run's video-level half was"
            " trained. Put those back, name another --train_dir, or give --start_new_model."
        )


def _in_words(data: dict[str, Any] | None) -> str:
    return (
        f"{data['shards']} shards of {data['bytes']:,} bytes, sha1 {data['sha1'][:8]}"
        if data
        else "not put down"
    )


def pool_records(
    executor: Executor,
    model: Yt8mModel,
    files: list[str],
    schema: RecordSchema,
    folder: str,
    batch_size: int = 64,
    max_bad_records: int = 0,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> list[str] | None:
    """Return the shards of pooled records of all frames, those made that are not there; None where `stop` ended it.

    Args:
      executor: runs the tasks.
      model: has `pooled_frames`; built and registered.
      files, schema: of the frame-level records.
      folder: of the new shards.
      batch_size: videos computed together.
      max_bad_records: broken records that may be skipped in all.
      stop: asked between shards.
      say: prints.

    Raises:
      UserError: the folder holds records of another network or of other data, or too many records are broken.
    """
    about = {"network": fingerprint(model), "files": list(files), "data": shards.fingerprint(files)}
    mark = os.path.join(folder, ABOUT)
    tf.io.gfile.makedirs(folder)
    if tf.io.gfile.exists(mark):
        with tf.io.gfile.GFile(mark) as f:
            _check_same(json.load(f), about, folder)
    else:
        with tf.io.gfile.GFile(mark + ".tmp", "w") as f:
            f.write(json.dumps(about))
        tf.io.gfile.rename(mark + ".tmp", mark, overwrite=True)
    targets = [os.path.join(folder, f"{i:05d}.tfrecord") for i in range(len(files))]
    missing = [(f, t) for f, t in zip(files, targets) if not tf.io.gfile.exists(t)]
    if missing:
        arguments = {**model.get_config(), "groups": None}  # a worker needs no large head
        job = PoolJob(
            registry.name_of(type(model)), json.dumps(arguments), tuple(np.array(tf_variable(v)) for v in before_head(model)),
            tf.keras.mixed_precision.global_policy().name, schema, batch_size, max_bad_records,
        )  # fmt: skip
        shared: dict[str, Any] = {
            "job": executor.broadcast(
                job, f"pool-{about['network']}-{os.getpid()}-{next(_numbers)}"
            )
        }
        say(f"pooling the frames of {len(missing)} of {len(files)} shards")
        broken = 0
        for _, found in executor.map(pool_shard, missing, shared):
            broken += found
            if broken > max_bad_records:
                raise UserError(
                    f"{broken} broken records were met, and --max_bad_records={max_bad_records} allows no more."
                )
            if stop():
                return None
    return targets
