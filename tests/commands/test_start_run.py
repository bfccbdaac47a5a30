"""What a training command prints and records of its devices."""

import dataclasses

from tests.support.commands import run_command
from tests.support.runs import run_on
from yt8m.commands import start_run as module
from yt8m.commands.start_run import open_devices, start_run
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.devices.used import UsedDevices


def test_the_line_says_how_many_steps_a_call_of_the_joint_trainer_takes(capsys):
    def line(model, **settings):
        strategy = open_devices(model, {"strategy": "one", **settings})
        assert strategy.num_replicas_in_sync == 1
        return capsys.readouterr().out.partition(": ")[2]

    assert line("MoeModel").startswith("1 replica, float32, 1")
    assert line("MoeModel", steps_per_call=3) == "1 replica, float32, 3 steps per call\n"
    assert line("PmoeModel", dtype="bfloat16") == "1 replica, bfloat16\n"


def test_the_devices_are_recorded_and_given_to_the_trainer(small_data, tmp_path, monkeypatch):
    got = {}
    monkeypatch.setattr(
        module.trainers, "get", lambda _: lambda *given: got.update(config=given[0])
    )
    devices = make_strategy("mirrored")
    data = small_data.pattern("train", "video")
    start_run("LogisticModel", data, "", str(tmp_path), devices, batch_size=50, num_epochs=1)
    assert got["config"].facts["devices"] == dataclasses.asdict(UsedDevices.of(devices))
    assert got["config"].facts["devices"]["replicas"] == devices.num_replicas_in_sync


def test_evaluation_begins_with_its_devices(finished_run, small_data):
    assert run_on(small_data, "LogisticModel").training.steps_per_call == 0
    ended = run_command("eval", f"--train_dir={finished_run}", "--output_dir=", "--strategy=one")
    assert ended.out.startswith("computing on ")
    assert ended.out.splitlines()[0].endswith(": 1 replica, float32")
