"""Alternations that the tests of this folder share, each run once."""

import shutil

import pytest

from tests.support.alternations import config_of, scores_of
from yt8m.largescale.alternating import trainer


@pytest.fixture(scope="session")
def full(small_data, tmp_path_factory):
    """A run of steps 1, 2 and 3 that nothing interrupted."""
    folder = tmp_path_factory.mktemp("full")
    trainer.train(config_of(small_data), str(folder))
    return folder


@pytest.fixture(scope="session")
def full_scores(full, small_data, tmp_path_factory):
    """The predictions of the full run's best model, and of the model of its step 2."""
    folder = tmp_path_factory.mktemp("step2") / "run"
    shutil.copytree(full, folder, ignore=shutil.ignore_patterns("best"))
    shutil.copytree(full / "alternation" / "cycle1_step2" / "best", folder / "best")
    return scores_of(full, small_data), scores_of(folder, small_data)
