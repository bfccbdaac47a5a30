"""The evaluation of each model that a run in training saves."""

import pytest

from yt8m.errors import UserError
from yt8m.evaluation import watch as watching
from yt8m.evaluation.watch import watch
from yt8m.runs.folder import RunFolder


def test_it_reports_that_it_waits_and_refuses_a_missing_folder(tmp_path, capsys):
    with pytest.raises(UserError, match=r"--train_dir=.* does not exist"):
        watch(str(tmp_path / "nowhere"), lambda: None)
    (tmp_path / "done").write_text("")
    watch(str(tmp_path), lambda: None, poll_seconds=0.01)
    assert f"waiting for the first model of the run in {tmp_path}" in capsys.readouterr().out


def test_it_sees_each_model_and_ends_with_the_run(tmp_path, monkeypatch):
    folder, seen = RunFolder(str(tmp_path)), []

    def live():
        yield  # nothing happens during the first wait
        for value in ("1", "22"):
            folder.write_text("best/model.weights.h5", value)
            yield  # a model counts when its metrics are there
            folder.write_text("best/metrics.json", value)
            yield
        folder.write_text("best/model.weights.h5", "333")
        folder.write_text("best/metrics.json", "333")
        folder.write_text("done", "")
        yield

    stages = live()
    monkeypatch.setattr(watching.time, "sleep", lambda _: next(stages))
    weights = tmp_path / "best" / "model.weights.h5"
    watch(str(tmp_path), lambda: seen.append(weights.read_text()))
    assert seen == ["1", "22", "333"]
