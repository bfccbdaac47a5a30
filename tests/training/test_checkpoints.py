"""A damaged checkpoint costs the steps since the one before it."""

import time

import numpy as np
import pytest

from tests.support.runs import begun, metrics_of, run_config, stop_at
from yt8m.errors import UserError
from yt8m.training.trainer import Trainer, train


def test_where_the_newest_checkpoint_is_damaged_an_older_one_is_taken(small_data, tmp_path, capsys):
    config = run_config(small_data, "LogisticModel", epochs=2, export_model_steps=5)
    stop_at(Trainer(config, begun(config, tmp_path)), 13)
    newest = tmp_path / "checkpoints" / "ckpt-13.data-00000-of-00001"
    newest.write_bytes(newest.read_bytes()[:500])
    train(config, str(tmp_path))
    out = capsys.readouterr().out
    assert "ckpt-13 cannot be read" in out
    assert "resumed at step 12" in out
    assert metrics_of(tmp_path, "last")["step"] == 24
    for data in (tmp_path / "checkpoints").glob("*.data*"):
        data.write_bytes(b"")
    (tmp_path / "done").unlink()
    with pytest.raises(UserError, match=r"no checkpoint of .* can be read.*--init_from"):
        train(config, str(tmp_path))


@pytest.mark.parametrize("name", ["DbofModel", "ResNet1dModel", "GruModel"])
def test_a_resumed_run_has_every_variable_of_its_model(name, small_data, tmp_path):
    config = run_config(small_data, name, epochs=2)
    stopped = Trainer(config, begun(config, tmp_path))
    stop_at(stopped, 3)
    resumed = Trainer(config, begun(config, tmp_path))
    resumed.begin()
    # Moving statistics and the state of dropout are not trained, and change all the same.
    for variable, found in zip(stopped.step.model.variables, resumed.step.model.variables):
        np.testing.assert_array_equal(variable.numpy(), found.numpy(), err_msg=variable.name)


def test_a_checkpoint_is_due_after_ten_minutes_of_any_steps(small_data, tmp_path, monkeypatch):
    config = run_config(small_data, "LogisticModel")
    assert config.training.export_model_steps == 0
    trainer = Trainer(config, begun(config, tmp_path))
    now = time.monotonic()
    trainer.checkpoints.save(0)
    for minutes, due in ((9.9, False), (10.1, True)):
        monkeypatch.setattr("time.monotonic", lambda at=now + 60 * minutes: at)
        assert trainer.checkpoints.due(1) is due
