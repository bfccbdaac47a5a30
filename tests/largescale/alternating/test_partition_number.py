"""The number of partitions of step 2: as few as memory allows, chosen once and kept."""

import types

import numpy as np
import pytest

from tests.largescale.alternating.test_step3_batch import context as context_of
from yt8m.errors import UserError
from yt8m.files import write_json
from yt8m.largescale.alternating.classifier_step import choose_partitions
from yt8m.largescale.mixtures.class_partition import partition
from yt8m.largescale.mixtures.mixture_block import MixtureBlock
from yt8m.largescale.mixtures.partition_memory import predict

EXPERTS = np.array([1, 2, 50, 7] * 30)
STORE = types.SimpleNamespace(width=2048, largest_window=1 << 20)


def chosen(folder, memory, workers=2, local=False, **settings):
    """Return (partitions, the context) where a worker has so much memory."""
    context = context_of(folder, memory, local, **settings)
    context.executor.workers = lambda: workers
    return choose_partitions(context, STORE, EXPERTS), context


def need(parts, local=False):
    found = predict(partition("alike", EXPERTS.tolist(), parts), EXPERTS, 2048, 1 << 20)
    return found.growth if local else found.own


def test_the_weights_are_those_of_the_largest_partition():
    blocks = [MixtureBlock([0, 1, 2], 5, 16), MixtureBlock([3], 2, 16)]
    sizes = [sum(int(np.prod(shape)) for shape in block.shapes) for block in blocks]
    memory = predict([[0, 1, 2], [3]], np.array([5, 5, 5, 2]), 16, 1000)
    assert (memory.weights, memory.window) == (12 * max(sizes), 1000)
    assert predict([[0, 1, 2, 3]], np.array([5, 5, 5, 2]), 16, 0).weights == 12 * sum(sizes)


def test_there_is_one_for_each_worker_where_memory_suffices(tmp_path):
    for workers in (1, 2, 7):
        parts, context = chosen(tmp_path / str(workers), 10**12, workers)
        assert len(parts) == workers
        assert sorted(c for classes in parts for c in classes) == list(range(len(EXPERTS)))
        assert context.executor.task_memory == need(workers)
        assert f"step 2 has {workers} partitions of the classes for {workers}" in context.said[0]
        assert len(context.said) == 1
    assert len(chosen(tmp_path / "unknown", None)[0]) == 2
    assert len(chosen(tmp_path / "many", 10**12, 500)[0]) == 500  # of which most are empty


@pytest.mark.parametrize("local", [True, False])
def test_there_are_as_few_as_fit_and_as_many_on_another_machine(tmp_path, local):
    memory = int(need(6, local) / 0.8) + 1
    assert need(4, local) > 0.8 * memory
    parts, context = chosen(tmp_path, memory, 2, local)
    assert len(parts) == 6
    assert context.executor.task_memory == need(6, local)
    again, elsewhere = chosen(tmp_path, 10**12, 5, local)
    assert again == parts
    assert elsewhere.executor.task_memory == need(6, local)
    # No partition is smaller than a class, and what is too small is said.
    least, context = chosen(tmp_path / "other", 1000, 2, local)
    assert len(least) == len(EXPERTS)
    assert "raise --num_partitions" in context.said[0]


def test_a_given_number_is_taken_whatever_the_memory(tmp_path):
    parts, context = chosen(tmp_path, 1000, num_partitions=3)
    assert len(parts) == 3
    assert context.executor.task_memory == need(3)
    assert len(chosen(tmp_path, 10**12, 4)[0]) == 3


def test_what_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "alternation").mkdir()
    for wrong in ({"num_partitions": 0}, {"partitions": 3}):
        write_json(str(tmp_path / "alternation" / "step2_partitions.json"), wrong)
        with pytest.raises(UserError, match=r"step2_partitions\.json"):
            chosen(tmp_path, None)
