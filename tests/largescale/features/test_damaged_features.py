"""Every file of stored features, damaged in every way: computed again to the bit, or named."""

import shutil

import numpy as np
import pytest

from tests.support.damages import each_damage, problem_with
from tests.support.records import Maker
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.shard import DamagedShard
from yt8m.largescale.features.store import build_feature_store


@pytest.fixture
def plan(tmp_path):
    files = Maker(tmp_path).shards("video", 12, 2)
    return FeaturePlan(str(tmp_path / "store"), files, Maker.video)


@pytest.mark.parametrize("name", ["00001.features", "00001.rows.npz", "index", "plan.json"])
def test_a_damaged_file_of_a_store(name, plan, tmp_path):
    said = []

    def read():
        store = build_feature_store(plan, lambda batch: batch["video"] * 2.0, say=said.append)
        return [np.concatenate(part) for part in zip(*store.sequential(5))], store.label_counts()

    reference = read()
    folder, whole = tmp_path / "store", tmp_path / "whole"
    shutil.copytree(folder, whole)

    def check():
        try:
            features, counts = read()
        except DamagedShard as error:  # The index was trusted; the same command does not trust it.
            said.append(str(error))
            features, counts = read()
        for found, right in zip([*features, counts], [*reference[0], reference[1]]):
            np.testing.assert_array_equal(found, right)

    problems = []
    for damage in each_damage(folder / name, tmp_path / "kept"):
        said.clear()
        problem = problem_with(name, damage, check)
        problems.append(problem)
        if damage.startswith("flipped") and name != "plan.json" and not said:
            problems.append(f"{name}, {damage}: nothing is said")
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)
    assert not "\n".join(filter(None, problems))
