"""Flags beside a run's folder must agree with the run."""

import dataclasses

import pytest

from tests.support.runs import run_on
from yt8m.errors import UserError
from yt8m.runs.config import ModelConfig
from yt8m.runs.overrides import check_overrides


@pytest.fixture(scope="module")
def config(small_data):
    return run_on(small_data, "MoeModel")


def test_flags_that_agree_are_accepted(config):
    check_overrides(config, {"model": "MoeModel", "num_classes": 12, "label_loss": None})
    frames = config.recipe.train_frames
    starter = {"moe_num_mixtures": 2, "feature_sizes": [32, 8], "iterations": frames}
    check_overrides(config, {**starter, "lstm_cells": None})


def test_a_head_has_two_names(config):
    lstm = dataclasses.replace(config, model=ModelConfig("LstmModel", {"head": "logistic"}))
    for head in ("LogisticModel", "logistic"):
        check_overrides(lstm, {"video_level_classifier_model": head, "lstm_layers": 2})
    with pytest.raises(UserError, match="the run has 'LogisticModel', the flag says 'MoeModel'"):
        check_overrides(lstm, {"video_level_classifier_model": "MoeModel"})


@pytest.mark.parametrize(
    ("flag", "value", "run_has"),
    [
        ("num_classes", 3862, "12"),
        ("moe_num_mixtures", 4, "2"),
        ("lstm_cells", 1024, "'.no such argument in MoeModel.'"),
    ],
)
def test_a_contradiction_is_refused(config, flag, value, run_has):
    with pytest.raises(UserError, match=f"{flag}: the run has {run_has}, the flag says {value}"):
        check_overrides(config, {flag: value})
