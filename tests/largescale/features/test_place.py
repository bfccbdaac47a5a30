"""A feature store in a store of objects: what each node copies, keeps and refuses."""

import dataclasses
import os
import tempfile

import numpy as np
import pytest

from tests.support.object_store import serving
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.errors import UserError
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.shard import DamagedShard
from yt8m.largescale.features.store import FeatureStore, build_feature_store
from yt8m.largescale.storage import cache


@pytest.fixture
def node(tmp_path, monkeypatch):
    """Return a function that makes this process another node, whose disk is empty."""

    def become(name):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
        return tmp_path / name

    become("first")
    return become


@pytest.fixture
def store():
    with serving() as found:
        yield found


@pytest.fixture
def plan(small_data, store):
    files = find_shards(small_data.pattern("train", "video"))
    schema, _ = find_schema(files)
    return FeaturePlan(f"{store[1]}/features", files, schema, about="a", batch_size=100)


def compute(batch):
    return batch["video"].numpy() + 1


def fetched(server, ending):
    return [path for method, path in server.asked if method == "GET" and path.endswith(ending)]


def all_of(features):
    return [np.concatenate(parts) for parts in zip(*features.sequential(64))]


def test_another_node_reads_the_same_features_each_shard_once(plan, store, node, tmp_path):
    local = dataclasses.replace(plan, folder=str(tmp_path / "local"))
    expected = build_feature_store(local, compute)
    build_feature_store(plan, compute)
    assert not fetched(store[0], ".features")  # who has computed a shard has it
    node("second")
    features = FeatureStore(plan.folder)
    np.testing.assert_array_equal(features.label_counts(), expected.label_counts())
    assert not fetched(store[0], ".features")  # the index has labels and sizes
    for _ in range(2):
        for mine, other in zip(all_of(features), all_of(expected)):
            np.testing.assert_array_equal(mine, other)
    assert len(fetched(store[0], ".features")) == len(plan.files) == 3
    features.forget_copies()
    assert not list((tmp_path / "second").rglob("*.features"))


@pytest.mark.parametrize("ending", ["features", "rows.npz"])
def test_a_shard_that_was_damaged_in_the_store_is_computed_again(plan, store, node, ending):
    whole = all_of(build_feature_store(plan, compute))
    name = f"/bucket/features/00001.{ending}"
    changed = bytearray(store[0].objects[name])
    changed[40] ^= 1
    store[0].objects[name] = bytes(changed)
    node("second")
    with pytest.raises(DamagedShard, match="The same command recomputes both"):
        all_of(FeatureStore(plan.folder))
    with pytest.raises(UserError, match="not all of its features are there"):
        FeatureStore(plan.folder)
    again = all_of(build_feature_store(plan, compute))
    np.testing.assert_array_equal(again[0], whole[0])


def test_a_node_opens_a_store_by_one_object(plan, store, node):
    build_feature_store(plan, compute)
    node("second")
    del store[0].asked[:]
    FeatureStore(plan.folder)
    assert {path for _, path in store[0].asked} == {"/bucket/features/index"}
    store[0].objects["/bucket/features/index"] += b"1"
    with pytest.raises(UserError, match=r"index is damaged .*; the same command makes it again"):
        FeatureStore(plan.folder)


def test_an_index_is_made_without_copying_features(plan, store, node):
    whole = all_of(build_feature_store(plan, compute))
    content = store[0].objects.pop("/bucket/features/index")
    cut = store[0].objects["/bucket/features/00002.features"][:-1]
    node("second")
    del store[0].asked[:]
    build_feature_store(plan, pytest.fail)
    assert store[0].objects["/bucket/features/index"] == content
    assert not fetched(store[0], ".features")
    assert len(fetched(store[0], ".rows.npz")) == 3
    # What is too short is missing, although its rows are there.
    del store[0].objects["/bucket/features/index"]
    store[0].objects["/bucket/features/00002.features"] = cut
    np.testing.assert_array_equal(all_of(build_feature_store(plan, compute))[0], whole[0])


def test_a_copy_of_a_shard_that_was_computed_again_is_replaced(plan, store, node):
    """Another machine's last digits are others, and each node has to use those of the index."""
    all_of(build_feature_store(plan, compute))
    node("second")
    for name in ("index", "00001.rows.npz"):
        del store[0].objects[f"/bucket/features/{name}"]
    newer = all_of(build_feature_store(plan, lambda batch: compute(batch) + 1e-3))
    node("first")
    again = all_of(FeatureStore(plan.folder))
    for mine, expected in zip(again, newer):
        np.testing.assert_array_equal(mine, expected)


def test_a_node_keeps_no_more_than_it_may(plan, store, node, monkeypatch):
    monkeypatch.setattr(cache, "_IN_USE", 0.0)
    whole = all_of(build_feature_store(plan, compute))
    folder = node("second")
    size = len(store[0].objects["/bucket/features/00000.features"])
    features = FeatureStore(plan.folder, cache_bytes=int(1.5 * size))
    for _ in range(2):
        np.testing.assert_array_equal(all_of(features)[0], whole[0])
        kept = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        assert 0 < kept <= 1.5 * size
    assert len(fetched(store[0], ".features")) > 3  # the bound has a price


def test_copies_of_other_features_at_the_same_address_are_not_used(plan, store, node):
    build_feature_store(plan, compute)
    store[0].objects.clear()
    other = dataclasses.replace(plan, about="b")
    features = build_feature_store(other, lambda batch: compute(batch) + 1)
    node("second")
    np.testing.assert_array_equal(all_of(features)[0], all_of(FeatureStore(plan.folder))[0])
    with pytest.raises(UserError, match="features of something else"):
        plan.write()
    assert os.path.isdir(cache.root())
