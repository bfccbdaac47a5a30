"""Runs of rows: finished ones are not repeated, interrupted ones resume, and one is real."""

import json
import os

import pytest

from tests.papers.helpers import FROM_TWO, ROWS, Fake, make_row, make_runner
from yt8m.errors import UserError
from yt8m.papers import commands
from yt8m.papers.one_run import Failed
from yt8m.papers.results import ROOT, in_folder
from yt8m.process.child_process import Finished
from yt8m.runs.stop_signal import Stopped


def test_a_finished_step_is_not_repeated_and_a_failed_one_is(sample, tmp_path, faked):
    fake = faked(Fake(fail_at="eval"))
    with pytest.raises(Failed, match="exit code 3") as error:
        make_runner(tmp_path, sample).run("two")
    assert error.value.code == 3
    assert fake.commands == ["train", "eval"]
    assert in_folder(str(tmp_path)) == []
    fake = faked(Fake())
    result = make_runner(tmp_path, sample).run("two")
    assert fake.commands == ["eval"], "training had ended well"
    assert result["seconds"] == 2.0
    assert result["eval_seconds"] == 3.0
    assert result["peak_bytes"] == 100
    assert make_runner(tmp_path, sample).run("two") == result
    assert fake.commands == ["eval"]
    assert in_folder(str(tmp_path)) == [result]
    make_runner(tmp_path, sample).run("two", seed=1)
    make_runner(tmp_path, sample).run("two", again=True)
    assert fake.commands == ["eval"] + 2 * ["train", "eval"]


def test_a_killed_runner_loses_none_of_its_time(sample, tmp_path, faked):
    """The log shows how long a command worked before kill -9; its processor time is not known."""

    def killed(command, log, say):
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "w") as file:
            file.write("epoch 1\n")
        state = tmp_path / "two" / "sample-video-seed0" / "state.json"
        values = json.loads(state.read_text())
        values["model"]["began"] -= 100  # as if it had worked that long
        state.write_text(json.dumps(values))
        raise SystemExit

    for _ in range(2):
        faked(killed)
        with pytest.raises(SystemExit):
            make_runner(tmp_path, sample).run("two")
    fake = faked(Fake())
    result = make_runner(tmp_path, sample).run("two")
    assert fake.commands == ["train", "eval"]
    assert 202 <= result["seconds"] < 210
    assert result["cpu_seconds"] == 0
    assert result["eval_seconds"] == 2.0


def test_a_model_that_several_rows_start_from_is_trained_once(sample, tmp_path, faked):
    rows = {"two": ROWS["two"], **{n: make_row(n, FROM_TWO) for n in ("later", "other")}}
    fake = faked(Fake())
    runner = make_runner(tmp_path, sample, rows=rows)
    results = [runner.run(name) for name in ("later", "other")]
    assert fake.commands == 3 * ["train", "eval"]
    for r in results:
        assert "--init_from=runs/recipes/two/sample-video-seed0/model" in r["commands"][0]


def test_a_run_with_other_settings_is_refused(sample, tmp_path, faked):
    faked(Fake())
    make_runner(tmp_path, sample).run("two")
    changed = {"two": make_row("two", "--model=MoeModel --batch_size=64")}
    with pytest.raises(UserError, match="other settings; repeat it with --again"):
        make_runner(tmp_path, sample, rows=changed).run("two")


def test_a_run_that_started_from_another_run_is_refused(sample, tmp_path, faked):
    """Running an input again does not change the commands of what used it: they name its folder."""
    rows = {"two": ROWS["two"], "later": make_row("later", FROM_TWO)}
    runner = make_runner(tmp_path, sample, rows=rows)
    faked(Fake())
    first = runner.run("later")
    runner.run("two", again=True)
    assert runner.run("later") == first, "the input has the same numbers as before"
    faked(Fake(gap=0.6))
    runner.run("two", again=True)
    with pytest.raises(UserError, match="made from an earlier run of two; repeat it"):
        runner.run("later")
    assert runner.run("later", again=True)["metrics"]["gap"] == 0.6
    assert runner.run("later")["metrics"]["gap"] == 0.6


def test_a_fusion_that_has_made_nothing_takes_its_inputs_as_they_are_now(sample, tmp_path, faked):
    faked(Fake(fail_at="predict"))
    with pytest.raises(Failed):
        make_runner(tmp_path, sample).run("both")
    faked(Fake(gap=0.6))
    make_runner(tmp_path, sample).run("two", data_name="sample-video", again=True)
    fake = faked(Fake(fail_at="fuse"))
    with pytest.raises(Failed):
        make_runner(tmp_path, sample).run("both")
    assert fake.commands == ["predict", "predict", "fuse"]


def test_a_fusion_may_take_another_fusion(sample, tmp_path, faked):
    fuse = {"method": "average", "inputs": ["both", "frames"]}
    rows = {**ROWS, "all": make_row("all", level="", data="sample-frames", fuse=fuse)}
    commands_run = []

    def run(command, log, say):
        commands_run.append(command[3:])
        flags = dict(f.split("=", 1) for f in command[4:] if "=" in f)
        if "--output_metrics" in flags:
            scores = flags["--inputs"].split(",")
            values = Fake().metrics()
            with open(flags["--output_metrics"], "w") as file:
                json.dump({**dict.fromkeys(scores, values), "fused": values}, file)
        return Fake()(command, log, say)

    faked(run)
    result = make_runner(tmp_path, sample, rows=rows).run("all")
    assert set(result["inputs"]) == {"both", "frames"}
    fusions = [" ".join(c) for c in commands_run if c[0] == "fuse"]
    own = f"{tmp_path}/both/sample-frames-seed0/scores-sample-frames"
    written = [f for f in fusions if f"--output_scores={own}" in f]
    assert len(written) == 1, "the inner fusion's scores are stored"
    assert "--method=l2" in written[0]
    assert "--labels=" in written[0], "it fits APs"
    assert f"--inputs={own},{tmp_path}/frames/" in fusions[-1]


def test_the_codes_variant_is_refused_where_none_is_published(sample, tmp_path, faked):
    with pytest.raises(UserError, match="two: no published code is known to differ"):
        make_runner(tmp_path, sample).run("two", "code", sample)


@pytest.mark.parametrize(
    "ended",
    [Finished(143, 1.0, 0), Finished(0, 1.0, 0, stopped=15)],
    ids=["by the signal", "well, as the signal came"],
)
def test_nothing_follows_a_command_that_a_signal_stopped(sample, tmp_path, faked, ended):
    faked(lambda command, log, say: ended)
    with pytest.raises(Stopped) as stopped:
        make_runner(tmp_path, sample).run("two")
    assert stopped.value.number == 15


def test_the_papers_variant_needs_records(sample, tmp_path, faked):
    with pytest.raises(UserError, match="--variant=paper needs --data"):
        make_runner(tmp_path, sample).run("two", "paper")
    with pytest.raises(UserError, match="neither a data set nor a folder"):
        make_runner(tmp_path, sample).run("two", "paper", "no-such-folder")
    fake, lines = faked(Fake()), []
    result = make_runner(tmp_path, sample, lines.append).run("two", "paper", sample)
    expected = "validate/*.tfrecord to evaluate on. The paper had: sample-video"
    assert expected in lines[0], "the folder's splits may differ from the paper's"
    assert fake.commands == ["train", "eval"]
    assert f"{sample}/train/*.tfrecord" in result["commands"][0]


def test_results_name_no_folder_of_the_machine(sample, tmp_path, faked):
    faked(Fake())
    result = make_runner(tmp_path, sample).run("two")
    assert str(tmp_path) not in " ".join(result["commands"]).replace(sample, "")
    assert "--train_dir=runs/recipes/two/" in result["commands"][0]


@pytest.mark.parametrize(
    "place", ["/tmp/x", "runs/other", "x", "runs/of another place", "runs/recipes"]
)
def test_commands_are_recorded_alike_wherever_they_were_run(place):
    """The folder may be outside the current one, need quotes in a shell, or have a short name."""
    out = make_runner(os.path.join(os.getcwd(), place)).out
    arguments = ("train.py", f"--train_dir={out.path}/a", f"--inputs={out.path}/a,{out.path}/b")
    step = commands.Step("m", "train", (*arguments, "--of=max/2"), "")
    assert out.recorded(step) == (
        "python train.py --train_dir=runs/recipes/a --inputs=runs/recipes/a,runs/recipes/b"
        " --of=max/2"
    )


@pytest.mark.slow
def test_two_models_are_trained_evaluated_and_fused(sample, tmp_path, monkeypatch):
    """Real processes, started from a folder that is no checkout: about a minute."""
    monkeypatch.setenv("PYTHONPATH", ROOT)
    monkeypatch.chdir(tmp_path)
    result = make_runner("runs", sample).run("both")
    assert result["metrics"]["num_examples"] == 30
    assert 0 < result["metrics"]["gap"] <= 1
    assert set(result["inputs"]) == {"two@sample-video", "frames"}
    assert result["best_single"]["gap"] == max(m["gap"] for m in result["inputs"].values())
    assert result["fit_on_half"]["metrics"]["num_examples"] == 15
    by_row = {r["recipe"]: r for r in in_folder("runs")}
    assert set(by_row) == {"two", "frames", "both"}
    two = by_row["two"]
    assert two["examples_per_second"] > 0
    assert two["peak_bytes"] > 1e8
    assert two["data"]["train"]["shards"] == 1
    assert two["versions"]["tensorflow"]
    assert two["metrics"]["num_examples"] == 60
    assert two["commands"][0].startswith("python train.py --model=MoeModel")
    text = (tmp_path / "runs" / "two" / "sample-video-seed0" / "model.log").read_text()
    assert "epoch 1/1" in text
    assert os.listdir(tmp_path) == ["runs"]
    assert make_runner("runs", sample).run("both") == result
