"""A run ends where its loss or its predictions are no numbers to go on with."""

import pytest

from tests.support.runs import run_config
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.training.trainer import train


def test_predictions_that_are_no_probabilities_are_refused(small_data, tmp_path, monkeypatch):
    cls = registry.model_class("LogisticModel")
    call = cls.call
    monkeypatch.setattr(
        cls,
        "call",
        lambda self, inputs, training=None: 4.0 * call(self, inputs, training=training) - 2.0,
    )
    with pytest.raises(
        UserError, match=r"LogisticModel predicts values from -.* probabilities from 0 to 1"
    ):
        train(run_config(small_data, "LogisticModel", epochs=1), str(tmp_path))


def test_a_loss_that_diverges_ends_the_run_and_is_not_saved(small_data, tmp_path):
    diverging = run_config(
        small_data,
        "MoeModel",
        epochs=3,
        recipe={
            "optimizer": "SGD",
            "base_learning_rate": 1e30,
            "clip_gradient_norm": 0.0,
            "schedule": "constant",
        },
        arguments={"l2": 1.0},
    )
    message = r"First .*inspect --full .* records with NaN.* Otherwise lower --base_learning_rate"
    with pytest.raises(UserError, match=message):
        train(diverging, str(tmp_path))
    assert not (tmp_path / "best").exists()
    assert not list(tmp_path.glob("checkpoints/*.index"))
