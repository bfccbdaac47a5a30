"""The index of a feature store: made by tasks, trusted while it holds, and never believed after."""

import dataclasses
import os
import shutil

import numpy as np
import pytest

from tests.support.alternations import Killed, dies_at
from tests.support.records import Maker
from yt8m.errors import UserError
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features import place, survey
from yt8m.largescale.features.index import INDEX, StoreIndex, read_index
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.shard import DamagedShard, ShardWriter, shard_files
from yt8m.largescale.features.store import FeatureStore, build_feature_store
from yt8m.runs.stop_signal import Stopped, StopSignal


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The plan of a store that is complete."""
    folder = tmp_path_factory.mktemp("made")
    files = Maker(folder).shards("video", 12, 3)
    plan = FeaturePlan(str(folder / "store"), files, Maker.video)
    build_feature_store(plan, double, say=pytest.fail)
    return plan


@pytest.fixture
def plan(made, tmp_path):
    """The plan of a copy of that store."""
    folder = shutil.copytree(made.folder, tmp_path / "store")
    return dataclasses.replace(made, folder=str(folder))


@pytest.fixture
def new_plan(made, tmp_path):
    """The plan of a store in which there is nothing."""
    return dataclasses.replace(made, folder=str(tmp_path / "store"))


def double(batch):
    return batch["video"] * 2.0


def computes_nothing(batch):
    pytest.fail("a shard is computed that is there")


def all_of(store):
    return [np.concatenate(part) for part in zip(*store.sequential(5))]


def index_of(plan):
    with open(os.path.join(plan.folder, INDEX), "rb") as f:
        return f.read()


def write_shard(plan, index, rows):
    """Put a shard of other videos in the place of one."""
    labels = np.eye(rows, plan.schema.num_classes)
    with ShardWriter(plan.folder, index, np.dtype("float32")) as out:
        out.add(np.ones((rows, 8)), labels, [b"other"] * rows)


def test_opening_a_store_looks_at_no_shard(plan):
    complete = FeatureStore(plan.folder)
    whole = all_of(complete)
    for index in range(3):
        for path in shard_files(plan.folder, index):
            os.remove(path)
    store = FeatureStore(plan.folder)
    assert (store.num_examples, store.width, store.dtype) == (12, complete.width, np.float32)
    np.testing.assert_array_equal(store.label_counts(), whole[1].sum(0))
    assert store.num_classes == plan.schema.num_classes


def test_a_store_without_an_index_gets_one_and_no_shard_is_computed(plan):
    """Stores of earlier versions have none, nor has one whose maker died before the index."""
    whole = all_of(FeatureStore(plan.folder))
    content = index_of(plan)
    os.remove(os.path.join(plan.folder, INDEX))
    with pytest.raises(UserError, match="not all of its features are there; the same command"):
        FeatureStore(plan.folder)
    again = build_feature_store(plan, computes_nothing, say=pytest.fail)
    np.testing.assert_array_equal(all_of(again)[0], whole[0])
    assert index_of(plan) == content


def test_every_changed_byte_of_an_index_is_found():
    index = StoreIndex(
        "plan", "float16", 7, np.arange(3), np.arange(3, dtype=np.uint32), np.arange(5)
    )
    content = index.to_bytes()
    assert StoreIndex.from_bytes(content).to_bytes() == content
    for at in range(len(content)):
        with pytest.raises(ValueError, match="checksum"):
            StoreIndex.from_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
    for length in range(len(content)):
        with pytest.raises(ValueError, match="checksum"):
            StoreIndex.from_bytes(content[:length])


def test_a_damaged_index_is_named_and_made_again(plan):
    content, said = index_of(plan), []
    with open(os.path.join(plan.folder, INDEX), "wb") as f:
        f.write(content[:-1])
    with pytest.raises(UserError, match=r"index is damaged .*; the same command makes it again"):
        FeatureStore(plan.folder)
    build_feature_store(plan, computes_nothing, say=said.append)
    assert len(said) == 1
    assert "index is damaged" in said[0]
    assert index_of(plan) == content


def test_an_index_of_another_plan_is_not_believed(plan):
    os.remove(os.path.join(plan.folder, "plan.json"))
    other = dataclasses.replace(plan, files=plan.files[:2])
    assert build_feature_store(other, computes_nothing, say=pytest.fail).num_examples == 8


@pytest.mark.parametrize("ending", ["features", "rows.npz"])
@pytest.mark.parametrize("harm", ["removed", "changed"])
def test_a_shard_that_was_lost_after_the_index_is_refused_then_computed(plan, ending, harm):
    whole = all_of(FeatureStore(plan.folder))
    path = os.path.join(plan.folder, f"00001.{ending}")
    if harm == "removed":
        os.remove(path)
    else:
        with open(path, "r+b") as f:
            f.seek(80)
            f.write(b"\xff\xfe\xfd")
    trusting = build_feature_store(plan, computes_nothing, say=pytest.fail)
    with pytest.raises(DamagedShard, match=r"[Tt]he same command"):
        all_of(trusting)
    assert not os.path.exists(os.path.join(plan.folder, INDEX))
    computed, said = [], []

    def compute(batch):
        computed.append(len(batch["id"]))
        return double(batch)

    again = build_feature_store(plan, compute, say=said.append)
    assert computed == [4]
    assert len(said) == (harm == "changed")
    for mine, expected in zip(all_of(again), whole):
        np.testing.assert_array_equal(mine, expected)


def test_a_shard_that_the_index_does_not_know_is_refused(plan):
    """Whoever wrote it: a shard of the right length, or of another, and whole by itself."""
    for rows in (4, 2):
        store = build_feature_store(plan, double, say=pytest.fail)
        all_of(store)
        write_shard(plan, 1, rows)
        for reader in (store, FeatureStore(plan.folder)):
            with pytest.raises(DamagedShard, match="shard 1 are no longer in"):
                all_of(reader)
    again = build_feature_store(plan, computes_nothing, say=pytest.fail)
    features, labels = all_of(again)
    assert len(features) == again.num_examples == 10
    np.testing.assert_array_equal(again.label_counts(), labels.sum(0))


def test_a_file_that_is_cut_while_it_is_read_ends_the_trust_in_the_index(plan):
    store = FeatureStore(plan.folder)
    original = store._place.whole

    def cut(*arguments):
        shard = original(*arguments)
        os.truncate(shard.path, 8)
        return shard

    store._place.whole = cut
    with pytest.raises(DamagedShard, match="shorter than it was"):
        next(store.batches(5))
    assert read_index(plan.folder) is None


def test_a_build_that_is_killed_before_the_index_computes_nothing_twice(new_plan, monkeypatch):
    plan = new_plan
    with monkeypatch.context() as patch:
        dies_at(patch, survey, "write_index", 1)
        with pytest.raises(Killed):
            build_feature_store(plan, double, say=pytest.fail)
    with pytest.raises(UserError, match="contains no index"):
        FeatureStore(plan.folder)
    assert build_feature_store(plan, computes_nothing, say=pytest.fail).num_examples == 12


def test_no_index_is_there_while_a_shard_is_computed_again(plan):
    os.remove(shard_files(plan.folder, 2)[1])
    with pytest.raises(DamagedShard):
        all_of(FeatureStore(plan.folder))
    found = []

    def compute(batch):
        found.append(os.path.exists(os.path.join(plan.folder, INDEX)))
        return double(batch)

    build_feature_store(plan, compute, say=pytest.fail)
    assert found == [False]
    assert read_index(plan.folder).sizes.tolist() == [4, 4, 4]


def test_a_signal_ends_a_survey(plan):
    class Set(StopSignal):
        def raise_if_set(self):
            raise Stopped(15)

    build_feature_store(plan, computes_nothing, stop=Set(), say=pytest.fail)  # nothing to end
    os.remove(os.path.join(plan.folder, INDEX))
    executor = InProcessExecutor()
    before = executor.check
    with pytest.raises(Stopped):
        survey.complete(plan, executor, computes_nothing, Set(), pytest.fail)
    assert executor.check is before


class Elsewhere(InProcessExecutor):
    """A fake cluster, which knows when its tasks run."""

    local, inside, tasks = False, False, 0

    def map(self, function, tasks, shared):
        for i, task in enumerate(tasks):
            self.inside, self.tasks = True, self.tasks + 1
            value = function(task, shared)
            self.inside = False
            yield i, value


def test_the_driver_reads_no_shard(new_plan, monkeypatch):
    plan, executor, reads = new_plan, Elsewhere(), []
    for name in ("read_shard", "map_shard"):
        original = getattr(place, name)

        def watched(*arguments, original=original, **more):
            reads.append(executor.inside)
            return original(*arguments, **more)

        monkeypatch.setattr(place, name, watched)

    def compute(plan, missing):
        for index in missing:
            write_shard(plan, index, 4)

    survey.complete(plan, executor, compute, StopSignal(), pytest.fail)
    os.remove(os.path.join(plan.folder, INDEX))
    survey.complete(plan, executor, computes_nothing, StopSignal(), pytest.fail)
    survey.complete(plan, executor, computes_nothing, StopSignal(), pytest.fail)
    assert len(reads) == executor.tasks == 3 + 3 + 3
    assert all(reads)


def test_a_thousand_tasks_look_at_all_shards(plan, monkeypatch):
    asked = []

    def surveyed(shards, shared):
        asked.append(shards.tolist())
        none = np.zeros(0, np.int64)
        return survey.Survey(none, none, none, 0, none, shards, [])

    monkeypatch.setattr(survey, "survey_shards", surveyed)
    found = survey.survey(InProcessExecutor(), plan, range(2500), True, StopSignal())
    assert found.absent.tolist() == [i for part in asked for i in part] == list(range(2500))
    assert len(asked) == 1000
