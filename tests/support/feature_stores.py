"""Feature stores of made-up features, without records."""

import numpy as np
import tensorflow as tf

from yt8m.data.schema import RecordSchema
from yt8m.largescale.executors.base import Broadcast
from yt8m.largescale.features.index import write_index
from yt8m.largescale.features.plan import PLAN, FeaturePlan
from yt8m.largescale.features.shard import ShardWriter
from yt8m.largescale.features.survey import survey_shards


def write_store(folder, shards, num_classes, dtype="float32"):
    """Write a store, given (features [n, D], labels [n, K], ids [n]) of each shard."""
    folder.mkdir(exist_ok=True)
    (folder / PLAN).write_text("{}")
    for i, rows in enumerate(shards):
        with ShardWriter(str(folder), i, np.dtype(tf.as_dtype(dtype).as_numpy_dtype)) as out:
            out.add(*rows)
    schema = RecordSchema("video", ("x",), (1,), num_classes)
    plan = FeaturePlan(str(folder), [], schema, dtype, digest="made up")
    shared = {"plan": Broadcast("p", plan), "verify": Broadcast("v", False)}
    found = survey_shards(np.arange(i + 1), shared)
    assert not len(found.absent)
    write_index(str(folder), found.index(plan))
