"""The full-batch gradient equals that of one tape over all examples, for any shards and model."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.records import damage, rgb_audio_frames, rgb_audio_means
from yt8m.compat import tf_variable
from yt8m.data.files.scan import scan
from yt8m.data.records.writers import write_shard
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.executors import make_executor
from yt8m.largescale.gradient.full_batch import FullBatchGradient
from yt8m.largescale.gradient.shard_gradient import chosen_variables
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import ShardTask, draw_fraction, pack_shards
from yt8m.losses import registry as losses
from yt8m.models.core import registry

SIZES, K, N = (6, 2), 5, 83
VIDEO = RecordSchema("video", ("mean_rgb", "mean_audio"), SIZES, K)
FRAME = RecordSchema("frame", ("rgb", "audio"), SIZES, K, max_frames=7)


def examples(level, count=N):
    """Return per-video features (float [D] or uint8 [n, D]) and label lists."""
    rng = np.random.default_rng(3)
    if level == "video":
        features = list(rng.normal(size=(count, sum(SIZES))).astype(np.float32))
    else:
        features = [
            rng.integers(0, 256, (n, sum(SIZES)), dtype=np.uint8) for n in rng.integers(1, 8, count)
        ]
    return features, [sorted(set(rng.integers(0, K, 2).tolist())) for _ in range(count)]


def write(folder, level, shards, count=N):
    """Write the examples, in order, into `shards` files of uneven lengths (some may be empty)."""
    features, labels = examples(level, count)
    record = rgb_audio_means if level == "video" else rgb_audio_frames
    cuts = np.sort(np.random.default_rng(shards).integers(0, count + 1, shards - 1))
    paths = [str(folder / f"{level}{shards}-{s:03d}.tfrecord") for s in range(shards)]
    for path, rows in zip(paths, np.split(np.arange(count), cuts)):
        write_shard(path, [record(i, features[i], labels[i]) for i in rows])
    return paths


def reference(model, level, frozen=(), loss="CrossEntropyLoss", penalty=1.0):
    """Return (loss, gradients) of one tape over all examples at once."""
    features, labels = examples(level)
    multi_hot = np.zeros((N, K), np.uint8)
    for row, classes in zip(multi_hot, labels):
        row[classes] = 1
    if level == "video":
        inputs = {"video": tf.constant(np.stack(features))}
    else:
        frames = np.stack([np.pad(f, ((0, FRAME.max_frames - len(f)), (0, 0))) for f in features])
        inputs = {
            "frames": tf.constant(frames),
            "num_frames": tf.constant([len(f) for f in features], tf.int32),
        }
    variables = [tf_variable(v) for v in chosen_variables(model, frozen)]
    with tf.GradientTape() as tape:
        each = losses.get(loss)(multi_hot, model(inputs, training=False), None)
        total = tf.reduce_mean(each) + penalty * tf.add_n(model.losses or [tf.zeros([])])
    return float(total), [tf.convert_to_tensor(g).numpy() for g in tape.gradient(total, variables)]


def randomised(name, seed=0, **arguments):
    """Return a model whose every weight, and every moving statistic, is away from its start."""
    model = registry.create(name, num_classes=K, feature_sizes=SIZES, **arguments).build_weights()
    rng = np.random.default_rng(seed)
    model.set_weights(
        [np.abs(rng.normal(0.4, 0.2, w.shape)).astype(w.dtype) + 0.1 for w in model.get_weights()]
    )
    return model


def relative(got, expected):
    return np.sqrt(
        sum(np.sum((a - b) ** 2.0) for a, b in zip(got, expected))
        / sum(np.sum(b**2.0) for b in expected)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shards")


@pytest.mark.parametrize("shards", [1, 2, 7, 40])
def test_any_number_of_shards_gives_the_gradient_of_one_tape(folder, shards):
    model = randomised("MoeModel", num_mixtures=3, l2=0.01)
    loss, gradients = reference(model, "video")
    tasks = [ShardTask((path,)) for path in write(folder, "video", shards)]
    full = FullBatchGradient(make_executor(""), model, RecordSource(VIDEO, batch_size=16), tasks)
    result = full()
    assert result.num_examples == N
    assert result.num_tasks == shards
    assert result.loss == pytest.approx(loss, rel=1e-6)
    assert result.regularization > 0.01
    assert result.data_loss + result.regularization == pytest.approx(result.loss)
    assert relative(result.gradients, gradients) < 1e-6
    full.close()


@pytest.mark.parametrize(
    "name", ["DbofBasic", "DbofCgate", "DbofResNet", "AttnVLAD", "LogisticModel"]
)
def test_frame_and_video_models_with_a_frozen_head(folder, name):
    level = registry.model_class(name).level
    arguments = {"AttnVLAD": {"num_centers": 3, "projection_size": 4}, "LogisticModel": {}}
    arguments = arguments.get(name, {"width": 8, "num_mixtures": 2})
    frozen = ("head",) if level == "frame" else ()
    model = randomised(name, **arguments)
    schema = VIDEO if level == "video" else FRAME
    loss, gradients = reference(model, level, frozen)
    before = model.get_weights()
    full = FullBatchGradient(
        make_executor(""),
        model,
        RecordSource(schema, 16),
        pack_shards(write(folder, level, 7)),
        frozen,
    )
    result = full()
    assert result.num_examples == N
    assert result.loss == pytest.approx(loss, rel=1e-6)
    assert relative(result.gradients, gradients) < 3e-6
    assert len(full.variables) == len(gradients) < len(model.weights) or level == "video"
    for a, b in zip(before, model.get_weights()):  # nothing moved: no statistic either
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("megabytes", "shards_a_task"), [(1, 8), (100, 1), (100 << 10, 1), (4, 2)])
def test_by_default_a_task_is_a_small_share_of_the_data(megabytes, shards_a_task, monkeypatch):
    """8 MB of little data, a 10,000th of much, and 512 MB of very much."""
    shards = [f"{i}.tfrecord" for i in range(400)]
    monkeypatch.setattr("yt8m.listing.sizes", lambda paths: [megabytes << 20] * len(paths))
    assert len(pack_shards(shards)[0].shards) == shards_a_task
    many = [f"{i}.tfrecord" for i in range(200_000)]
    expected = max(1, min(max(200_000 * megabytes // 10_000, 8), 512) // megabytes)
    assert len(pack_shards(many)[0].shards) == expected
    assert len(pack_shards(many, 64 << 20)[0].shards) == max(1, 64 // megabytes)


def test_packing_depends_on_sizes_alone_and_changes_rounding_only(folder):
    paths = write(folder, "video", 40)
    tasks = pack_shards(paths, task_bytes=1000)
    assert [p for t in tasks for p in t.shards] == paths
    assert 5 < len(tasks) < 40
    assert pack_shards(paths, 1 << 30) == [ShardTask(tuple(paths))]
    assert [len(t.shards) for t in pack_shards(paths, 1)] == [1] * 40
    model = randomised("MoeModel")
    results = [
        FullBatchGradient(make_executor(""), model, RecordSource(VIDEO, 16), t)()
        for t in (tasks, pack_shards(paths))
    ]
    assert results[0].num_tasks > results[1].num_tasks == 1
    assert relative(results[0].gradients, results[1].gradients) < 1e-6
    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-6)


def test_a_fraction_is_drawn_by_seed_and_iteration_and_is_unbiased(folder):
    model = randomised("MoeModel")
    tasks = [ShardTask((path,)) for path in write(folder, "video", 7)]

    full = FullBatchGradient(make_executor(""), model, RecordSource(VIDEO, 16), tasks)

    def draw(seed, iteration, fraction=0.3):
        full.seed = seed
        return full(iteration, fraction)

    first, again, other = draw(1, 5), draw(1, 5), draw(1, 6)
    np.testing.assert_array_equal(first.gradients[0], again.gradients[0])
    assert first.num_examples == again.num_examples
    assert (first.gradients[0] != other.gradients[0]).any()
    assert first.num_tasks == 4  # ceil(7 · √0.3)
    counts = [draw(2, i).num_examples for i in range(40)]
    assert np.mean(counts) == pytest.approx(0.3 * N, abs=4 * np.std(counts) / np.sqrt(40))
    assert draw_fraction(tasks, 1.0, 0, 0) == tasks
    assert draw(0, 0, 1e-6).num_examples > 0  # an empty draw is repeated with twice the fraction


def test_rows_of_a_fraction_are_independent_of_the_shards_before(folder):
    paths = write(folder, "video", 7)
    for task in draw_fraction([ShardTask((p,)) for p in paths], 0.5, 3, 0):
        ids = [
            i
            for b in RecordSource(VIDEO, 4).batches(task.shards, task.rows, [])
            for i in b["id"].numpy()
        ]
        everything = [
            i
            for b in RecordSource(VIDEO, 4).batches(task.shards, None, [])
            for i in b["id"].numpy()
        ]
        expected = [i for i, keep in zip(everything, task.rows.keeps()) if keep]
        assert ids == expected


def test_records_are_read_as_the_training_pipeline_reads_them(folder):
    from yt8m.data.pipeline import build_dataset

    for level, schema in (("video", VIDEO), ("frame", FRAME)):
        paths = write(folder, level, 1)  # of one file, so that the order is the same
        mine = list(RecordSource(schema, 16).batches(paths, None, []))
        theirs = list(build_dataset(paths, schema, batch_size=16))
        assert len(mine) == len(theirs) == -(-N // 16)
        for a, b in zip(mine, theirs):
            assert set(a) == set(b)
            for key in a:
                np.testing.assert_array_equal(np.asarray(a[key]), b[key].numpy())


@pytest.mark.parametrize("level", ["video", "frame"])
def test_records_that_do_not_parse_are_counted_or_refused(level, tmp_path):
    paths = write(tmp_path, level, 2)
    payloads = [r.payload for r in scan(paths[0])]
    write_shard(paths[0], [*payloads[:3], b"garbage \xff payload", *payloads[3:]])
    schema, broken = VIDEO if level == "video" else FRAME, []
    batches = list(RecordSource(schema, 16, max_bad_records=1).batches(paths, None, broken))
    assert sum(len(b["labels"]) for b in batches) == N
    at = sum(len(p) + 16 for p in payloads[:3])
    assert broken == [f"{paths[0]} at byte {at}: neither a tf.train.Example nor a SequenceExample"]
    with pytest.raises(UserError, match=f"{paths[0]} at byte {at}.*--max_bad_records=0"):
        list(RecordSource(schema, 16).batches(paths, None, []))


def test_a_file_that_is_not_on_this_machine_is_reported(tmp_path):
    with pytest.raises(
        UserError, match=r"nowhere.tfrecord are not there .*a folder that all nodes share"
    ):
        list(
            RecordSource(VIDEO, 16, max_bad_records=5).batches(
                [str(tmp_path / "nowhere.tfrecord")], None, []
            )
        )


def test_broken_records_are_counted_or_refused(folder):
    paths = write(folder, "video", 2)
    damage(paths[0], 0, "payload")
    model = randomised("LogisticModel")

    def run(allowed):
        source = RecordSource(VIDEO, 16, max_bad_records=allowed)
        return FullBatchGradient(make_executor(""), model, source, pack_shards(paths))()

    with pytest.raises(UserError, match="max_bad_records=0"):
        run(0)
    result = run(1)
    assert (result.num_examples, result.num_broken) == (N - 1, 1)
    wrong = RecordSource(
        RecordSchema("video", ("mean_rgb", "mean_audio"), SIZES, K - 2), 16, max_bad_records=1
    )
    with pytest.raises(UserError, match="num_classes"):
        FullBatchGradient(
            make_executor(""), randomised("LogisticModel"), wrong, pack_shards(paths)
        )()


def test_rated_segments_are_weighted_and_counted_one_by_one(tmp_path):
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 256, (2, 12, sum(SIZES)), dtype=np.uint8)
    ratings = [[(0, 1, 1.0), (0, 2, 0.0), (5, 3, 1.0)], [(5, 0, 1.0)]]
    payloads = [rgb_audio_frames(i, frames[i], [0], segments=ratings[i]) for i in (0, 1)]
    write_shard(str(tmp_path / "segments.tfrecord"), payloads)
    schema = RecordSchema("frame", ("rgb", "audio"), SIZES, K, segment_labels=True)
    model = randomised("DbofBasic", width=4, num_mixtures=2)
    tasks = pack_shards([str(tmp_path / "segments.tfrecord")])
    result = FullBatchGradient(
        make_executor(""), model, RecordSource(schema, 2), tasks, penalty=0.0
    )()
    assert result.num_examples == 3  # segments
    inputs = np.stack([frames[0, :5], frames[0, 5:10], frames[1, 5:10]])
    predicted = model({"frames": inputs, "num_frames": np.array([5, 5, 5])}, training=False).numpy()
    rated = [
        np.log(predicted[0, 1] + 1e-5) + np.log(1 - predicted[0, 2] + 1e-5),
        np.log(predicted[1, 3] + 1e-5),
    ]
    assert result.loss == pytest.approx(
        -(sum(rated) + np.log(predicted[2, 0] + 1e-5)) / 3, rel=1e-5
    )


def test_iterations_with_irprop_lower_the_loss_and_leave_the_head(folder):
    from yt8m.largescale.gradient.update_rules import IRPropPlus

    model = randomised("DbofBasic", width=8, num_mixtures=2)
    head = [v.numpy() for v in model.head.variables]
    full = FullBatchGradient(
        make_executor(""),
        model,
        RecordSource(FRAME, 32),
        pack_shards(write(folder, "frame", 3)),
        ("head",),
    )
    rule, values = IRPropPlus(initial_step=1e-3), []
    for i in range(12):
        result = full(iteration=i)
        values.append(result.loss)
        full.set_weights(rule.update(full.weights(), result.gradients, result.loss))
    assert values[-1] < values[0] - 0.01
    for a, b in zip(head, model.head.variables):
        np.testing.assert_array_equal(a, b.numpy())


def test_a_loss_that_is_not_finite_is_a_user_error(folder):
    model = randomised("LogisticModel")
    model.set_weights([np.full(w.shape, np.nan, w.dtype) for w in model.get_weights()])
    with pytest.raises(UserError, match="not finite in iteration 3"):
        FullBatchGradient(
            make_executor(""), model, RecordSource(VIDEO), pack_shards(write(folder, "video", 1))
        )(iteration=3)
