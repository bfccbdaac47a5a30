"""Any number of partitions of the classes learns what one mixture over all classes learns."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support.feature_stores import write_store
from yt8m.errors import UserError
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.mixtures import mixture_block
from yt8m.largescale.mixtures.blocks_file import read_arrays, read_header
from yt8m.largescale.mixtures.class_partition import partition
from yt8m.largescale.mixtures.mixture_block import MixtureBlock
from yt8m.largescale.mixtures.moe_settings import MoeSettings
from yt8m.largescale.mixtures.partition_training import train_partition
from yt8m.largescale.mixtures.scatter_blocks import scatter_blocks
from yt8m.losses.registry import get
from yt8m.models.core import registry
from yt8m.models.core.recipe import Recipe
from yt8m.runs.stop_signal import Stopped, StopSignal
from yt8m.training.optimizers import make_optimizer, prepare
from yt8m.training.step import TrainStep
from yt8m.training.weight_average import WeightAverage

N, D, K, B = 150, 6, 24, 30
RECIPE = Recipe(base_learning_rate=0.05, batch_size=B, num_epochs=3, clip_gradient_norm=0.0)
SETTINGS = MoeSettings(RECIPE, l2=1e-4, seed=5)
PRIORS = np.linspace(0.01, 0.3, K)
COUNTS = np.random.default_rng(3).choice([1, 3, 17], K)


def make_store(folder, dtype="float32"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, D)).astype(np.float32)
    y = (x @ rng.normal(size=(D, K)) + rng.normal(size=(N, K)) > 2.5).astype(np.uint8)
    ids = [b"%04d" % j for j in range(N)]
    write_store(folder, [(x[:70], y[:70], ids[:70]), (x[70:], y[70:], ids[70:])], K, dtype)
    return FeatureStore(str(folder))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("features") / "s")


def train_all(store, folder, parts, settings=SETTINGS, counts=COUNTS, kind="balanced"):
    """Return the predictions [N, K] of classes trained in `parts` partitions."""
    out = np.full((N, K), np.nan, np.float32)
    x = np.concatenate([x for x, _ in store.sequential(64)])
    for i, classes in enumerate(partition(kind, counts, parts)):
        if not classes:
            continue
        path = str(folder / f"{i}.blocks")
        header = train_partition(store, classes, counts[classes], settings, path, PRIORS)
        assert header["steps"] == 15
        assert np.isfinite(header["loss"])
        _, arrays = read_arrays(path)
        for about in header["blocks"]:
            block = MixtureBlock(about["classes"], about["k"], D)
            block.load(arrays, with_moments=False)
            out[:, about["classes"]] = block.predict(tf.cast(x, settings.dtype))
    return out


@pytest.fixture(scope="module")
def one(store, tmp_path_factory):
    return train_all(store, tmp_path_factory.mktemp("one"), 1)


@pytest.mark.parametrize(("parts", "kind"), [(8, "round_robin"), (500, "balanced")])
def test_the_number_of_partitions_does_not_matter(parts, kind, store, one, tmp_path):
    np.testing.assert_allclose(train_all(store, tmp_path, parts, kind=kind), one, atol=1e-5)
    assert np.std(one - PRIORS) > 0.05  # something was learnt


@pytest.mark.parametrize(("clip", "limit"), [(0.0, 4 << 20), (0.05, 4 << 20), (0.0, 2 * 13 * D)])
def test_the_size_of_a_block_does_not_matter(clip, limit, store, one, tmp_path, monkeypatch):
    """It does not matter with a norm limit either, which applies to each class by itself."""
    settings = dataclasses.replace(
        SETTINGS, recipe=dataclasses.replace(RECIPE, clip_gradient_norm=clip)
    )
    whole = train_all(store, tmp_path, 1, settings)
    (tmp_path / "cut").mkdir()
    monkeypatch.setattr(mixture_block, "BLOCK_WEIGHTS", limit)
    np.testing.assert_allclose(train_all(store, tmp_path / "cut", 3, settings), whole, atol=1e-5)
    if clip:
        assert np.abs(whole - one).max() > 1e-3


@pytest.mark.parametrize("k", [2, 17])
def test_it_learns_what_the_joint_trainer_learns(k, store, tmp_path):
    """With equal initial weights and order, MoE, PMoE and partitions learn the same weights."""
    counts = np.full(K, k)
    parts = train_all(store, tmp_path, 4, counts=counts)
    whole = MixtureBlock(range(K), k, D)
    whole.start(SETTINGS.seed, K, PRIORS)
    start = [v.numpy() for v in whole.weights]
    batches = [b for epoch in range(3) for b in store.batches(B, SETTINGS.seed, epoch)]
    for name, more in (("MoeModel", {}), ("PmoeModel", {"group_size": 15, "split": "random"})):
        options = {"num_mixtures": k, "l2": SETTINGS.l2, "input_norm": "none", **more}
        model = registry.create(name, num_classes=K, feature_sizes=[D], **options).build_weights()
        axis = 1 if k == 17 else 2
        for group in getattr(model.head, "groups", [{"classes": range(K)}]):
            mixture = (
                model.head
                if name == "MoeModel"
                else model.head.mixtures[model.head.groups.index(group)]
            )
            cut = list(group["classes"])
            mixture.set_weights(
                [
                    np.take(start[0], cut, axis),
                    np.take(start[1], cut, axis),
                    np.take(start[2], cut, axis - 1),
                ]
            )
        optimizer = make_optimizer(RECIPE, 15 * B)
        prepare(optimizer, model.trainable_variables)
        strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
        step = TrainStep(
            strategy, model, get(RECIPE.label_loss), optimizer, WeightAverage([], 0.0), RECIPE
        )
        data = [{"video": tf.constant(x), "labels": tf.constant(y)} for x, y in batches]
        iterator = iter(
            tf.data.Dataset.from_tensor_slices(
                {key: tf.stack([b[key] for b in data]) for key in data[0]}
            )
        )
        step(iterator, tf.constant(15))
        x = np.concatenate([x for x, _ in store.sequential(64)])
        np.testing.assert_allclose(
            model({"video": tf.constant(x)}, training=False), parts, atol=1e-5, err_msg=name
        )


def test_a_stopped_partition_resumes(store, one, tmp_path):
    """Stopped within an epoch and killed after a checkpoint, it ends with the same bytes."""
    path, classes = str(tmp_path / "p"), list(range(K))
    left = [7]

    class Stop(StopSignal):
        def __call__(self):
            left[0] -= 1
            self.number = 15 if left[0] < 0 else None
            return left[0] < 0

    with pytest.raises(Stopped):
        train_partition(store, classes, COUNTS, SETTINGS, path, PRIORS, stop=Stop())
    assert [p.name for p in tmp_path.iterdir()] == ["p.checkpoint"]
    often, seen = dataclasses.replace(SETTINGS, checkpoint_seconds=1e-9), []

    def killed(report):
        seen.append(report.step)
        if report.step == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_partition(
            store, classes, COUNTS, often, path, PRIORS, report=killed, report_seconds=0
        )
    assert seen == [8, 9, 10, 11]
    header = train_partition(store, classes, COUNTS, SETTINGS, path, PRIORS)
    assert [p.name for p in tmp_path.iterdir()] == ["p"]
    train_all(store, tmp_path, 1)
    ours, whole = read_arrays(path)[1], read_arrays(str(tmp_path / "0.blocks"))[1]
    assert all(np.array_equal(a, b) for a, b in zip(ours, whole))
    assert header["steps"] == 15
    # A finished one is not trained again.
    assert train_partition(store, classes, COUNTS, SETTINGS, path, stop=lambda: 1 / 0) == header


def test_an_epoch_reads_what_it_trains_on_and_no_more(store, tmp_path):
    """Trained epoch by epoch, and once to the middle of one, it ends with the same bytes."""
    small = FeatureStore(store.folder, window_bytes=1)  # windows as small as they come
    read, original = [], small.batches

    def batches(*arguments, **more):
        for batch in original(*arguments, **more):
            read.append(len(batch[0]))
            yield batch

    small.batches = batches
    path = str(tmp_path / "p")
    for until, steps in ((5, 5), (7, 2), (10, 3), (15, 5)):
        read.clear()
        header = train_partition(small, list(range(K)), COUNTS, SETTINGS, path, PRIORS, until=until)
        assert read == [B] * steps
        assert (header is None) == (until < 15)
        assert (read_header(path) or read_header(path + ".checkpoint")).get("step", 15) == until
    whole = str(tmp_path / "whole")
    train_partition(small, list(range(K)), COUNTS, SETTINGS, whole, PRIORS)
    assert all(np.array_equal(a, b) for a, b in zip(read_arrays(path)[1], read_arrays(whole)[1]))


def test_the_weights_of_a_checkpoint_are_read_without_its_moments(store, tmp_path, monkeypatch):
    path, classes = str(tmp_path / "p"), list(range(K))
    train_partition(store, classes, COUNTS, SETTINGS, path, PRIORS, until=5)
    everything = list(read_arrays(path + ".checkpoint")[1])
    read, original = [], np.frombuffer
    monkeypatch.setattr(np, "frombuffer", lambda *a: read.append(len(a[0])) or original(*a))
    shapes = {"gates": lambda k: (D, k + 1), "experts": lambda k: (D, k), "bias": lambda k: (k,)}
    groups = [
        {"classes": [c for c in classes if COUNTS[c] == k], "num_mixtures": k} for k in (1, 3, 17)
    ]
    arrays = []
    for group in groups:
        k, count = group["num_mixtures"], len(group["classes"])
        sides = {name: [*shape(k)] for name, shape in shapes.items()}
        for side in sides.values():
            side.insert(len(side) if k < 16 else len(side) - 1, count)
        arrays.append({name: np.full(side, np.nan, np.float32) for name, side in sides.items()})
    assert sorted(scatter_blocks(path + ".checkpoint", groups, arrays)) == classes
    assert not any(np.isnan(a).any() for group in arrays for a in group.values())
    assert sum(read) == sum(a.nbytes for group in arrays for a in group.values())
    assert 3 * sum(read) == sum(a.nbytes for a in everything)


def test_bfloat16(one, tmp_path):
    store = make_store(tmp_path / "s", "bfloat16")
    settings = dataclasses.replace(SETTINGS, dtype="bfloat16")
    np.testing.assert_allclose(train_all(store, tmp_path, 2, settings), one, atol=0.15)


def test_what_would_couple_classes_is_refused(store, tmp_path):
    for change, message in (
        ({"optimizer": "SGD"}, "--optimizer=SGD"),
        ({"global_clip_norm": 1.0}, "--global_clip_norm"),
        ({"label_loss": "SoftmaxLoss"}, "sum over classes"),
        ({"weight_average": 0.9}, "--weight_average"),
        ({"batch_size": 500}, "--batch_size=500"),
    ):
        settings = MoeSettings(dataclasses.replace(RECIPE, **change))
        with pytest.raises(UserError, match=message):
            train_partition(store, [0], [1], settings, str(tmp_path / "p"))


def test_a_loss_that_is_not_finite_ends_it(store, tmp_path):
    settings = MoeSettings(dataclasses.replace(RECIPE, base_learning_rate=float("nan")))
    with pytest.raises(UserError, match="stopped being finite"):
        train_partition(store, [0, 1], [1, 2], settings, str(tmp_path / "p"))
    assert not list(tmp_path.iterdir())
