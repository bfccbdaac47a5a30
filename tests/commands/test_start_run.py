"""What a training command prints and records of its devices."""

import dataclasses
import shutil

import pytest

from tests.support.commands import refused, run_command
from tests.support.runs import run_on
from yt8m.commands import start_run as module
from yt8m.commands.start_run import Devices, open_devices, start_run
from yt8m.errors import UserError
from yt8m.runs.devices.dtype import VARIABLE, ChosenDtype
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.devices.used import UsedDevices
from yt8m.runs.folder import RunFolder
from yt8m.runs.settings.training import TrainingConfig


def test_the_line_says_how_many_steps_a_call_of_the_joint_trainer_takes(capsys):
    def line(model, **settings):
        opened = open_devices(model, {"strategy": "one", **settings}, "no_folder")
        assert opened.strategy.num_replicas_in_sync == 1
        return capsys.readouterr().out.partition(": ")[2]

    assert line("MoeModel").startswith("1 replica, float32, 1")
    assert line("MoeModel", steps_per_call=3) == "1 replica, float32, 3 steps per call\n"
    assert line("PmoeModel", dtype="bfloat16") == "1 replica, bfloat16\n"


def test_the_devices_are_recorded_and_given_to_the_trainer(small_data, tmp_path, monkeypatch):
    got = {}
    monkeypatch.setattr(
        module.trainers, "get", lambda _: lambda *given: got.update(config=given[0])
    )
    devices = Devices(make_strategy("mirrored"), ChosenDtype("bfloat16", "it was measured"))
    data = small_data.pattern("train", "video")
    start_run("LogisticModel", data, "", str(tmp_path), devices, batch_size=50, num_epochs=1)
    used, facts = UsedDevices.of(devices.strategy), got["config"].facts
    assert facts["devices"] == dataclasses.asdict(used)
    assert facts["devices"]["replicas"] == devices.strategy.num_replicas_in_sync
    assert (got["config"].training.dtype, facts["dtype_because"]) == ("bfloat16", "it was measured")


@pytest.fixture
def on_amx(monkeypatch):
    """Let this machine choose bfloat16."""
    monkeypatch.delenv(VARIABLE)
    chosen = ChosenDtype("bfloat16", "the CPU has AMX")
    monkeypatch.setattr(module, "choose_dtype", lambda kind, machine: chosen)


def dtype_of(folder="no_folder", *more, **settings):
    """Return the type of a run that begins, or goes on, in a folder."""
    return open_devices("LogisticModel", settings, str(folder), *more).dtype.dtype


def test_a_new_run_computes_in_what_its_devices_are_built_for(on_amx, capsys):
    assert dtype_of() == "bfloat16"
    assert capsys.readouterr().out == (
        "computing on the CPU: 1 replica, bfloat16 (because the CPU has AMX; --dtype=float32 turns"
        " it off), 1 step per call\n"
    )
    assert dtype_of(dtype="auto") == "bfloat16"
    assert dtype_of(dtype="float32") == "float32"
    assert dtype_of("no_folder", False, True) == "float32", "the starter code's"


def test_a_run_keeps_its_type_on_any_machine(on_amx, small_data, tmp_path, monkeypatch):
    flags = [
        "--model=LogisticModel",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
        f"--train_dir={tmp_path}",
        "--batch_size=50",
        "--num_epochs=1",
    ]

    def train(*more):
        ended = run_command("train", *flags, *more)
        assert ended.code == 0, ended.err
        return RunFolder(str(tmp_path)).load_config().training.dtype, ended.out.splitlines()[0]

    assert train("--dtype=float32", "--max_steps=1")[0] == "float32"
    dtype, line = train("--max_steps=2")
    assert (dtype, "float32, 1 step" in line) == ("float32", True)
    assert train("--start_new_model", "--max_steps=1")[0] == "bfloat16"
    monkeypatch.setattr(module, "choose_dtype", lambda kind, machine: ChosenDtype("float32"))
    assert train("--max_steps=2")[0] == "bfloat16"
    assert run_command("train", *flags, "--dtype=float32").code == 2


def test_a_run_of_before_the_choice_keeps_float32(on_amx, finished_run):
    config = RunFolder(str(finished_run)).load_config()
    assert config.training.dtype == "float32"
    assert dtype_of(finished_run) == "float32"
    assert TrainingConfig("a*").dtype == "float32", "a config.json without the setting"


def test_evaluation_begins_with_its_devices(finished_run, small_data, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    assert run_on(small_data, "LogisticModel").training.steps_per_call == 0
    ended = run_command("eval", f"--train_dir={run}", "--output_dir=", "--strategy=one")
    assert ended.out.startswith("computing on ")
    assert ended.out.splitlines()[0].endswith(": 1 replica, float32")


def test_a_refused_cache_leaves_the_run_that_was_to_be_deleted(finished_run, small_data, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    message = refused(
        "train",
        "--model=LogisticModel",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
        f"--train_dir={run}",
        "--batch_size=50",
        "--start_new_model",
        "--cache_gb=5",
    )
    assert "--cache_gb=5 limits --cache_dir" in message
    assert (run / "done").exists()


@pytest.mark.parametrize("trainer", ["alternating", "partitioned"])
@pytest.mark.parametrize("strategy", ["auto", "multi_worker"])
def test_a_trainer_without_workers_refuses_them_before_it_waits(trainer, strategy, monkeypatch):
    cluster = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'
    monkeypatch.setenv("TF_CONFIG", cluster)

    def waits(*_):
        raise AssertionError("the worker would wait for the other one")

    monkeypatch.setattr(module, "make_strategy", waits)
    with pytest.raises(UserError, match=f"--trainer={trainer}.*unset TF_CONFIG"):
        open_devices("VideoDbofBasic", {"trainer": trainer, "strategy": strategy}, "no_folder")
    with pytest.raises(AssertionError):
        open_devices("VideoDbofBasic", {"strategy": strategy}, "no_folder")
