"""The mean of the last epochs' weights is judged, and becomes the best model only if it is."""

import dataclasses

import numpy as np
import pytest

from tests.support.runs import begun, events, metrics_of, run_config, with_training
from yt8m.errors import UserError
from yt8m.runs.folder import RunFolder
from yt8m.runs.stop_signal import Stopped
from yt8m.runs.trained_model import TrainedModel
from yt8m.training.trainer import Trainer, train
from yt8m.training.validation import Validation
from yt8m.training.window.weights import WeightWindow, check


def config_of(data, **training):
    # Steps so long that the weights jump around a minimum, in whose middle their mean is.
    recipe = {"base_learning_rate": 0.5, "schedule": "constant"}
    return run_config(data, "LogisticModel", epochs=5, recipe=recipe, **training)


@pytest.fixture(scope="module")
def averaged(small_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("averaged")
    train(config_of(small_data, average_checkpoints=3), str(folder))
    return folder


def test_the_mean_of_the_last_epochs_becomes_the_best_model(small_data, averaged, tmp_path):
    train(config_of(small_data), str(tmp_path))
    [mean], best = events(averaged, "mean"), metrics_of(averaged)
    gaps = [event["gap"] for event in events(averaged, "validation")]
    assert gaps == [event["gap"] for event in events(tmp_path, "validation")]
    assert mean["gap"] > max(gaps)
    assert best["gap"] == mean["gap"]
    assert best["mean_of_epochs"] == mean["mean_of_epochs"] == [3, 4, 5]
    assert "mean_of_epochs" not in metrics_of(tmp_path)

    names = sorted(path.name for path in (averaged / "window").iterdir())
    assert names == [f"epoch-0000{epoch}.weights.h5" for epoch in (3, 4, 5)]
    model = TrainedModel(str(averaged)).model
    found = model.get_weights()
    each = []
    for name in names:
        model.load_weights(str(averaged / "window" / name))
        each.append(model.get_weights())
    for value, *others in zip(found, *each):
        np.testing.assert_allclose(value, np.mean(others, 0), atol=1e-6)
    # `last/` is what was trained.
    model.load_weights(str(averaged / "last" / "model.weights.h5"))
    for value, last in zip(model.get_weights(), each[-1]):
        np.testing.assert_array_equal(value, last)


def test_a_run_stopped_while_the_mean_is_judged_judges_it_again(
    small_data, averaged, tmp_path, monkeypatch
):
    config, count = config_of(small_data, average_checkpoints=3), []
    measure = Validation.__call__

    def stopped_at_the_sixth(self, predictor):
        count.append(1)
        if len(count) == 6:
            raise Stopped(None)
        return measure(self, predictor)

    with monkeypatch.context() as patch:
        patch.setattr(Validation, "__call__", stopped_at_the_sixth)
        with pytest.raises(Stopped):
            train(config, str(tmp_path))
    assert not RunFolder(str(tmp_path)).is_done()
    train(config, str(tmp_path))
    assert metrics_of(tmp_path)["gap"] == metrics_of(averaged)["gap"]
    RunFolder(str(tmp_path)).delete()
    assert not list(tmp_path.iterdir())


def test_a_mean_that_is_no_better_is_not_kept(small_data, tmp_path, monkeypatch, capsys):
    config = config_of(small_data, average_checkpoints=2)
    config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, num_epochs=2))
    trainer = Trainer(config, begun(config, tmp_path))
    monkeypatch.setattr(Validation, "score", lambda self, result: -result["seconds"])
    trainer.train()
    capsys.readouterr()
    best = metrics_of(tmp_path)
    monkeypatch.setattr(Validation, "score", lambda self, result: float("-inf"))
    trainer.models.judge_mean()
    assert metrics_of(tmp_path) == best
    said = capsys.readouterr().out
    assert "epochs 1 to 2" in said
    assert "is now the mean" not in said
    assert WeightWindow(trainer.run, trainer.step.model, 2).epochs(1) == [1]


def test_what_makes_no_sense_is_refused(small_data):
    base = config_of(small_data)
    for match, training in (
        ("--average_checkpoints=1: a mean takes", {"average_checkpoints": 1}),
        ("add --eval_data_pattern", {"average_checkpoints": 3, "eval_data_pattern": ""}),
        ("works only with --trainer=joint", {"average_checkpoints": 3, "trainer": "alternating"}),
    ):
        with pytest.raises(UserError, match=match):
            check(with_training(base, **training))
    check(base)
