"""Features of whole videos, such as an embedding, reach the large-scale trainer's tasks."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.records import rgb_audio_frames
from yt8m.compat import tf_variable
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.writers import write_shard
from yt8m.data.schema import RecordSchema
from yt8m.largescale.executors import make_executor
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features.map import map_features
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.pooled_records import pool_records, pooled_schema
from yt8m.largescale.features.shard import map_shard
from yt8m.largescale.gradient.full_batch import FullBatchGradient
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import ShardTask
from yt8m.losses.registry import get
from yt8m.models.core import registry

SCHEMA = RecordSchema(
    "frame",
    ("rgb", "audio"),
    (5, 3),
    4,
    max_frames=6,
    video_names=("cdml", "more"),
    video_sizes=(3, 2),
)
N = 9


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    rng = np.random.default_rng(0)

    def record(i):
        x, e = rng.integers(0, 256, (2 + i % 5, 8), dtype=np.uint8), rng.normal(size=5)
        of_video = {"more": e[3:], "cdml": e[:3]}
        return rgb_audio_frames(i, x, [i % 4], rgb=5, of_video=of_video)

    paths = [str(tmp_path_factory.mktemp("data") / f"{s}.tfrecord") for s in range(2)]
    for s, path in enumerate(paths):
        write_shard(path, [record(i) for i in range(s, N, 2)])
    return paths


@pytest.fixture
def model():
    tf.keras.utils.set_random_seed(1)
    return registry.create(
        "DbofBasic", num_classes=4, feature_sizes=(5, 3), width=6, video_sizes=(3, 2)
    ).build_weights()


def ids_of(store):
    shards = (map_shard(store.folder, i, store.dtype) for i in range(2))
    return [i for shard in shards for i in shard.ids]


def whole(files, schema=SCHEMA):
    return next(iter(build_dataset(files, schema, batch_size=N)))


def test_they_enter_the_features_of_step_2(files, model, tmp_path):
    plan = FeaturePlan(str(tmp_path / "s"), files, SCHEMA)
    store = map_features(make_executor(""), model, plan, say=str)
    batch = whole(files)
    expected = dict(zip(batch["id"].numpy(), model.aggregate(model.select_inputs(batch)).numpy()))
    got = next(store.sequential(N))[0]
    np.testing.assert_allclose(got, [expected[i] for i in ids_of(store)], atol=1e-5)


def test_each_batch_of_a_worker_is_progress(files, model, tmp_path, noted):
    class Elsewhere(InProcessExecutor):
        local = False

    plan = FeaturePlan(str(tmp_path / "s"), files, SCHEMA)
    assert map_features(Elsewhere(), model, plan, say=str).num_examples == N
    assert len(noted) == 3 * len(files)  # Each shard is also looked at before and after.


def test_they_enter_the_gradient_of_step_3(files, model):
    gradient = FullBatchGradient(
        make_executor(""), model, RecordSource(SCHEMA, 4), [ShardTask(tuple(files))], penalty=0.0
    )()
    batch = whole(files)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            get("CrossEntropyLoss")(
                batch["labels"], model(model.select_inputs(batch), training=False), None
            )
        )
    expected = tape.gradient(loss, [tf_variable(v) for v in model.trainable_variables])
    for a, b in zip(gradient.gradients, expected):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("own", [(), (3, 2)])
def test_they_enter_the_pooled_records_of_any_network(own, files, tmp_path):
    network = registry.create(
        "DbofBasic", num_classes=4, feature_sizes=(5, 3), width=6, video_sizes=own
    ).build_weights()
    made = pool_records(
        make_executor(""), network, files, SCHEMA, str(tmp_path / "pooled"), say=str
    )
    batch, pooled = whole(files), whole(made, pooled_schema(SCHEMA, 6))
    pool = network.pooled_frames({k: batch[k] for k in ("frames", "num_frames")})
    expected = dict(zip(batch["id"].numpy(), np.concatenate([pool, batch["video"]], -1)))
    np.testing.assert_allclose(
        pooled["video"], [expected[i] for i in pooled["id"].numpy()], atol=1e-5
    )
