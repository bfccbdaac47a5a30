"""The map of step 2: who opens the features, and who shares what is read of them."""

import numpy as np
import pytest

from tests.largescale.mixtures.test_partition_training import PRIORS, SETTINGS, D, K, make_store
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features import open_store, shared_windows
from yt8m.largescale.features.shard import Shard
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.mixtures.blocks_file import read_arrays
from yt8m.largescale.mixtures.partition_map import PartitionMap
from yt8m.runs.stop_signal import StopSignal

EXPERTS = np.array([1, 3] * (K // 2))
WINDOW = 30 * 4 * D  # of five in all


class Cluster(InProcessExecutor):
    """A fake cluster, whose tasks run in this process in turn."""

    local = False

    def __init__(self, workers):
        super().__init__()
        self.workers = lambda: workers


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Return a function that trains an epoch and gives (weights, stores opened, parts read)."""
    make_store(tmp_path / "features")
    (tmp_path / "shm").mkdir()
    monkeypatch.setattr(shared_windows, "_MEMORY", str(tmp_path / "shm"))
    opened, read = [], []
    read_into = Shard.read_into
    monkeypatch.setattr(
        open_store, "FeatureStore", lambda *given: opened.append(given) or FeatureStore(*given)
    )
    monkeypatch.setattr(Shard, "read_into", lambda *given: read.append(given) or read_into(*given))

    def train(executor, name):
        opened.clear()
        read.clear()
        store = FeatureStore(str(tmp_path / "features"), WINDOW)
        folder = tmp_path / name
        folder.mkdir()
        parts = [list(range(0, K, 2)), list(range(1, K, 2))]
        arguments = (executor, parts, EXPERTS, str(folder), store, SETTINGS, PRIORS, StopSignal())
        partitions = PartitionMap(*arguments)
        partitions.train(15)
        partitions.close()
        files = [folder / f"{i:05d}" for i in range(2)]
        return [a for f in files for a in read_arrays(str(f))[1]], list(opened), len(read)

    return train


def test_one_process_uses_the_store_that_the_trainer_has_opened(trained, tmp_path):
    _, opened, _ = trained(InProcessExecutor(), "local")
    assert opened == []
    assert not list((tmp_path / "shm").iterdir())  # with itself it shares nothing


def test_tasks_of_workers_open_it_once_to_share_windows_and_learn_the_same_to_the_bit(
    trained, tmp_path
):
    alone, _, read_alone = trained(InProcessExecutor(), "local")
    cluster, opened, read = trained(Cluster(2), "cluster")
    assert [(given[1], bool(given[3])) for given in opened] == [(WINDOW, True)]
    assert all(np.array_equal(a, b) for a, b in zip(alone, cluster))
    assert read == read_alone  # one task came after the other, whose windows were gone
    assert not [f for f in (tmp_path / "shm").rglob("*") if f.is_file()]


def test_one_worker_shares_with_nobody(trained, tmp_path):
    _, opened, _ = trained(Cluster(1), "cluster")
    assert [given[3] for given in opened] == [""]
    assert not list((tmp_path / "shm").iterdir())
