"""Features on disk: what went in comes out, in any order asked for, and a killed build goes on."""

import dataclasses
import os
import pathlib
import shutil
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from tests.support.feature_stores import write_store
from tests.support.records import damage
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.largescale.features.index import INDEX
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.shard import ShardWriter, map_shard
from yt8m.largescale.features.store import FeatureStore, build_feature_store
from yt8m.runs.stop_signal import Stopped, StopSignal

B = 32


def double(batch):
    return batch["video"] * 2.0


@pytest.fixture(scope="module")
def files(small_data):
    return find_shards(small_data.pattern("train", "video"))


@pytest.fixture(scope="module")
def everything(files):
    """(schema, ids, features, labels) of the data, in order of the shards."""
    schema = find_schema(files)[0]
    batches = [b for f in files for b in build_dataset([f], schema, batch_size=50)]
    ids, videos, labels = (
        np.concatenate([b[k].numpy() for b in batches]) for k in ("id", "video", "labels")
    )
    return schema, [i.decode() for i in ids], 2 * videos, labels


@pytest.fixture(scope="module")
def store(files, everything, tmp_path_factory):
    plan = FeaturePlan(str(tmp_path_factory.mktemp("f") / "s"), files, everything[0])
    return build_feature_store(plan, double, say=str)


def ids_of(store):
    shards = (map_shard(store.folder, i, store.dtype) for i in range(3))
    return [i.decode() for shard in shards for i in shard.ids]


class StopAfter(StopSignal):
    """Stops a build once it has computed more than some batches."""

    def __init__(self, computed, count):
        super().__init__()
        self._computed, self._count = computed, count

    def raise_if_set(self):
        if len(self._computed) > self._count:
            raise Stopped(15)


def together(batches):
    features, labels = zip(*batches)
    return np.concatenate(features), np.concatenate(labels)


def test_what_went_in_comes_out(store, everything):
    _, ids, features, labels = everything
    assert (store.num_examples, store.width, store.num_classes) == (
        600,
        40,
        12,
    )
    assert ids_of(store) == ids
    np.testing.assert_array_equal(store.label_counts(), labels.sum(0))
    ours = together(store.sequential(B, [7, 0, 11]))
    np.testing.assert_allclose(ours[0], features, rtol=1e-6)
    np.testing.assert_array_equal(ours[1], labels[:, [7, 0, 11]])


@pytest.mark.parametrize("window_bytes", [1, 40 * 4 * 70, 40 * 4 * 250, 1 << 20])
def test_a_shuffled_pass_has_every_video_once_and_depends_on_seed_and_epoch(
    store, everything, window_bytes
):
    """Windows of one video, of a third of a shard, of one shard and of all."""
    store = FeatureStore(store.folder, window_bytes=window_bytes)
    _, _, features, labels = everything
    x, y = together(store.batches(B, seed=1, epoch=2, drop_remainder=False))
    order = np.lexsort(x.T)
    expected = np.lexsort(features.T)
    np.testing.assert_allclose(x[order], features[expected], rtol=1e-6)
    np.testing.assert_array_equal(y[order], labels[expected])
    again, part = together(store.batches(B, seed=1, epoch=2, classes=[3, 4]))
    assert len(again) == 600 // B * B
    np.testing.assert_array_equal(again, x[: len(again)])
    np.testing.assert_array_equal(part, y[: len(again), [3, 4]])
    later, _ = together(store.batches(B, seed=1, epoch=2, skip=11))
    np.testing.assert_array_equal(later, again[11 * B :])
    for other in ({"seed": 1, "epoch": 3}, {"seed": 2, "epoch": 2}):
        assert np.any(together(store.batches(B, **other))[0] != again)
    assert np.any(x != features)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_smaller_types(dtype, files, everything, tmp_path):
    plan = FeaturePlan(str(tmp_path / "s"), files, everything[0], dtype)
    store = build_feature_store(plan, double, say=str)
    x, _ = next(store.sequential(600))
    assert x.dtype == tf.as_dtype(dtype).as_numpy_dtype
    np.testing.assert_allclose(x.astype(np.float32), everything[2], rtol=1e-2, atol=1e-3)
    assert os.path.getsize(os.path.join(store.folder, "00000.features")) == 2 * 40 * 200


def test_a_stopped_build_computes_the_missing_shards(files, everything, tmp_path):
    folder, computed = str(tmp_path / "s"), []

    def build(fail_at=99, stop=None):
        def compute(batch):
            computed.append(len(batch["id"]))
            if len(computed) == fail_at:
                raise KeyboardInterrupt
            return double(batch)

        plan = FeaturePlan(folder, files, everything[0], batch_size=100)
        return build_feature_store(plan, compute, stop=stop, say=str)

    with pytest.raises(KeyboardInterrupt):
        build(fail_at=4)  # in the second shard
    assert sorted(os.listdir(folder)) == ["00000.features", "00000.rows.npz", "plan.json"]
    with pytest.raises(Stopped):
        build(stop=StopAfter(computed, 3))
    with pytest.raises(UserError, match="not all of its features are there"):
        FeatureStore(folder)
    np.testing.assert_allclose(next(build().sequential(600))[0], everything[2], rtol=1e-6)
    assert (
        len(computed) == 4 + 4
    )  # two batches a shard; the first shard once, and half of the second twice


def test_damage_and_other_contents_are_refused(store, files, everything, tmp_path):
    folder = str(tmp_path / "s")
    shutil.copytree(store.folder, folder)
    with pytest.raises(UserError, match=r"something else .*about"):
        FeaturePlan(folder, files, everything[0], about="other weights").write()
    with open(os.path.join(folder, "00001.features"), "r+b") as f:
        f.seek(1000)
        f.write(b"\xff")
    with pytest.raises(UserError, match=r"00001.features or .* is damaged"):
        together(FeatureStore(folder).sequential(B))
    printed = []
    again = build_feature_store(
        FeaturePlan(folder, files, everything[0]), double, say=printed.append
    )
    assert [line for line in printed if "00001.features" in line] == printed != []
    np.testing.assert_array_equal(
        together(again.sequential(B))[0], together(store.sequential(B))[0]
    )


def test_damage_to_the_rows_is_reported_and_repaired(store, files, everything, tmp_path):
    folder, printed = str(tmp_path / "s"), []
    shutil.copytree(store.folder, folder)
    path = os.path.join(folder, "00001.rows.npz")
    whole, write = pathlib.Path(path).read_bytes(), pathlib.Path(path).write_bytes
    for length in (0, 1, 30, len(whole) // 2, len(whole) - 1):
        write(whole[:length])
        with pytest.raises(UserError, match=r"00001.rows.npz is damaged: .* same command"):
            together(FeatureStore(folder).sequential(B))
        shutil.copy(os.path.join(store.folder, INDEX), folder)
    found = 0
    for at in range(0, len(whole), 41):
        write(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        try:
            np.testing.assert_array_equal(
                together(FeatureStore(folder).sequential(B))[1], everything[3]
            )  # it tells nothing, as a date
        except UserError:
            found += 1
            shutil.copy(os.path.join(store.folder, INDEX), folder)
    assert found > len(whole) // 41 // 2
    write(whole[:-1])
    with pytest.raises(UserError, match="damaged"):
        together(FeatureStore(folder).sequential(B))
    plan = FeaturePlan(folder, files, everything[0])
    again = build_feature_store(plan, double, say=printed.append)
    assert "damaged" in printed[0]
    assert len(printed) == 1
    np.testing.assert_array_equal(
        together(again.sequential(B))[0], together(store.sequential(B))[0]
    )


def test_both_files_of_a_shard_are_on_disk_before_they_have_their_names(tmp_path, monkeypatch):
    events, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda _: events.append("sync"))
    monkeypatch.setattr(os, "replace", lambda a, b: events.append("name") or replace(a, b))
    with ShardWriter(str(tmp_path), 0, np.dtype("float32")) as out:
        out.add(np.zeros((2, 3)), np.eye(2), [b"a", b"b"])
    assert events == ["sync", "sync", "name", "name"]


def test_memory_and_open_files_do_not_grow_with_the_videos(tmp_path):
    n, shards, width = 20_000, 5, 8
    rng, ids = np.random.default_rng(0), [b"%08d" % j for j in range(n)]
    made = ((rng.normal(size=(n, width)), rng.random((n, 6)) < 0.5, ids) for _ in range(shards))
    write_store(tmp_path, made, 6)
    files = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    tracemalloc.start()
    try:
        store = FeatureStore(str(tmp_path), window_bytes=1000 * 4 * width)
        assert tracemalloc.get_traced_memory()[0] < n * shards  # an id alone has 8 bytes
        tracemalloc.reset_peak()
        assert sum(len(x) for x, _ in store.batches(500)) == n * shards
        assert tracemalloc.get_traced_memory()[1] < 10 * 1000 * 4 * width < n * 4 * width
    finally:
        tracemalloc.stop()
    if files:
        assert len(os.listdir("/proc/self/fd")) <= files + 2


def test_broken_records_are_counted(files, everything, tmp_path):
    path = shutil.copy(files[0], tmp_path / "broken.tfrecord")
    damage(path, 0, "payload")
    path = str(path)
    bad = BadRecords(1)
    plan = FeaturePlan(str(tmp_path / "s"), [path], everything[0])
    store = build_feature_store(plan, double, bad, say=str)
    assert store.num_examples == 199
    assert len(bad.found) == 1
    with pytest.raises(UserError, match="max_bad_records=0"):
        build_feature_store(dataclasses.replace(plan, folder=str(tmp_path / "t")), double, say=str)
    assert os.listdir(tmp_path / "t") == ["plan.json"]
