"""A command that cannot go on where an earlier one was ended says that it starts over."""

import json
import shutil
from types import SimpleNamespace

import pytest
import tensorflow as tf

from tests.support.commands import refused, run_command
from tests.support.records import CLASSES, Maker
from yt8m.errors import UserError
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.alternating.trainer import Alternation
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder
from yt8m.submission.journal.journal import opened

TRAINERS = {
    "joint": ["--model=LogisticModel"],
    "partitioned": ["--model=PmoeModel", "--model_option=group_size=5"],
}


def command(folder, trainer, *more):
    pattern = f"{folder}/*.tfrecord"
    return [
        *TRAINERS[trainer],
        f"--trainer={trainer}",
        f"--train_data_pattern={pattern}",
        f"--eval_data_pattern={pattern}",
        f"--train_dir={folder}/{trainer}",
        f"--num_classes={CLASSES}",
        "--batch_size=8",
        *(more or ["--num_epochs=1"]),
    ]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    maker = Maker(tmp_path_factory.mktemp("records"))
    maker.shards("video", 24, 2)
    return maker.folder


@pytest.fixture(scope="module", params=TRAINERS)
def trained(request, records):
    """The name of a trainer whose run is finished."""
    done = run_command("train", *command(records, request.param))
    assert done.code == 0, done.err
    return request.param


def test_a_finished_run_whose_model_is_gone_writes_it_again(trained, records):
    run = records / trained
    for name in ("best", "last"):
        shutil.rmtree(run / name, ignore_errors=True)
    ended = run_command("train", *command(records, trained))
    if trained == "partitioned":  # which deletes what the model was joined from
        assert ended.code == 2
        assert "it has no checkpoint; --start_new_model trains it again" in ended.err
        shutil.rmtree(run)
        assert run_command("train", *command(records, trained)).code == 0
        return
    assert ended.code == 0, ended.err
    assert "its model is neither in best/ nor in last/" in ended.out
    assert (run / "last/model.weights.h5").exists()
    again = run_command("train", *command(records, trained))
    assert "is already done" in again.out


def test_a_run_whose_state_is_gone(trained, records):
    run = records / trained
    (run / "done").unlink()
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    ended = run_command("train", *command(records, trained))
    assert ended.code == 0, ended.err
    assert "it starts over at step 0" in ended.out


def test_a_finished_run_is_not_extended_under_another_keras(trained, records):
    path = records / trained / "config.json"
    settings = path.read_text()
    other = json.loads(settings)
    major, _, rest = other["facts"]["keras"].partition(".")
    other["facts"]["keras"] = f"{5 - int(major)}.{rest}"
    path.write_text(json.dumps(other))
    message = refused("train", *command(records, trained, "--num_epochs=2"))
    assert "was begun" in message
    path.write_text(settings)


@pytest.mark.parametrize(("step", "words"), [(Step(2, 1), "features"), (Step(3, 1), "starts over")])
def test_a_step_whose_state_is_gone(step, words, tmp_path, capsys):
    run = RunFolder(str(tmp_path))
    run.make()
    alternation = Alternation(SimpleNamespace(run=run, log=SimpleNamespace(say=print)))
    say = alternation._say_if_it_starts_over
    say(step)
    assert not capsys.readouterr().out  # It begins.
    run.log("step_begin", name=step.name, number=step.number, cycle=step.cycle)
    say(step)
    assert words in capsys.readouterr().out
    tf.io.gfile.makedirs(run.file(step.folder))
    run.write_text(f"{step.folder}/state.npz", "")
    say(step)
    assert not capsys.readouterr().out  # It goes on, and says so.


def test_a_prediction_that_was_killed_before_its_first_note(tmp_path):
    (tmp_path / "out.progress").mkdir()
    said = []
    with opened(str(tmp_path / "out.progress"), {"--output_file": Nothing}, dict, said.append):
        pass
    assert said == [
        f"starting from the beginning: {tmp_path}/out.progress has no notes of an earlier command"
    ]
    said.clear()
    with opened(str(tmp_path / "new.progress"), {"--output_file": Nothing}, dict, said.append):
        pass
    assert not said


class Nothing:
    """An output that takes nothing."""

    def __init__(self, at):
        assert at is None

    def close(self):
        """Finish nothing."""


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [("recipe", "batch_size", -3), ("training", "trainer", "x"), ("training", "top_k", None)],
)
def test_stored_settings_that_no_run_can_have(part, name, value, finished_run):
    text = (finished_run / "config.json").read_text()
    RunConfig.from_json(text)
    values = json.loads(text)
    values[part][name] = value
    with pytest.raises(UserError, match=f"config.json has a setting .*--{name}"):
        RunConfig.from_json(json.dumps(values))
