"""Runs of recipes: real ones on tiny data, finished ones that are not run again, and what a user may get wrong."""

import dataclasses
import glob
import json
import os
import subprocess
import sys

import pytest

from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic
from yt8m.errors import UserError
from yt8m.papers import __main__ as command_line
from yt8m.papers import commands, paper_row, process, runner
from yt8m.papers.results import in_folder
from yt8m.papers.small_data import Sizes, describe, make

SIZES = Sizes(
    train_shards=1,
    validate_shards=2,
    all_train_shards=2,
    single_classes=5,
    frame_validate_shards=1,
    frames=(5, 8),
    synthetic=(60, 20),
    synthetic_features=(12, 4),
    video_few=1,
)
DATA = {"data": ["sample-video"], "minutes": 1}


def recipe(name, flags, level="video", **more):
    stages = [{"name": "model", "flags": flags}]
    values = dict(table="1", row=name, order=1, source="a test", reported={}, notes="")
    small = {**DATA, "level": level, **({} if more.get("fuse") else {"stages": stages}), **more}
    return paper_row.parse({"name": name, **values, "paper": small, "small": small}, "test")


RECIPES = {
    r.name: r
    for r in (
        recipe("two", "--model=MoeModel --batch_size=32 --num_epochs=1"),
        recipe("logistic", "--model=LogisticModel --batch_size=32 --num_epochs=1"),
        recipe("frames", "--model=FrameLevelLogisticModel --batch_size=32 --num_epochs=1", "frame", data=["sample-frames"]),
        recipe("both", "", "", data=["sample-frames"],
               fuse={"method": "l2", "inputs": ["two@sample-video", "frames"]}),
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A folder in the form of the real sample."""
    folder = tmp_path_factory.mktemp("sample")
    spec = SyntheticSpec(
        videos=(("train", 128), ("validate", 60)),
        num_classes=12,
        feature_sizes=(32, 8),
        num_shards=2,
    )
    made = make_synthetic(str(folder / "made"), spec)
    for split in ("train", "validate"):
        os.makedirs(folder / split)
        for i in range(2):
            os.rename(
                os.path.join(made.folder, "video", f"{split}000{i}.tfrecord"),
                folder / split / f"v{split}000{i}.tfrecord",
            )
    return str(folder)


def make_runner(out, sample="", say=lambda text: None):
    return runner.Runner(RECIPES, str(out), sample, SIZES, say)


class Fake:
    """Stands for the scripts: writes what they would, and counts."""

    def __init__(self, fail_at=None, gap=0.5):
        self.commands, self.fail_at, self.gap = [], fail_at, gap

    def __call__(self, command, cwd, log, say):
        self.commands.append(command[1])
        if command[1] == self.fail_at:
            return process.Finished(3, 1.0, 10)
        flag = {a.partition("=")[0]: a.partition("=")[2] for a in command[2:]}
        if command[1] == "eval.py":
            os.makedirs(flag["--output_dir"], exist_ok=True)
            values = dict(
                gap=self.gap,
                map=0.4,
                perr=0.3,
                hit_at_1=0.6,
                hit_at_5=0.7,
                loss=2.0,
                num_examples=60,
                num_classes_with_positives=9,
            )
            with open(os.path.join(flag["--output_dir"], "metrics.json"), "w") as f:
                json.dump(values, f)
        return process.Finished(0, 2.0, 100)


@pytest.fixture
def faked(monkeypatch):
    monkeypatch.setattr(
        runner, "_of_training", lambda train_dir: {"examples_per_second": 1.0, "versions": {}}
    )

    def use(fake):
        monkeypatch.setattr(runner.process, "run", fake)
        return fake

    return use


def test_what_is_done_is_not_run_again_and_what_failed_goes_on(sample, tmp_path, faked):
    fake = faked(Fake(fail_at="eval.py"))
    with pytest.raises(runner.Failed, match="exit code 3") as error:
        make_runner(tmp_path, sample).run("two")
    assert error.value.code == 3
    assert fake.commands == ["train.py", "eval.py"]
    assert in_folder(str(tmp_path)) == []
    fake = faked(Fake())
    result = make_runner(tmp_path, sample).run("two")
    assert fake.commands == ["eval.py"], "training had ended well"
    assert result["seconds"] == 2.0
    assert result["eval_seconds"] == 3.0
    assert result["peak_bytes"] == 100
    assert make_runner(tmp_path, sample).run("two") == result
    assert fake.commands == ["eval.py"]
    assert in_folder(str(tmp_path)) == [result]
    make_runner(tmp_path, sample).run("two", seed=1)
    make_runner(tmp_path, sample).run("two", again=True)
    assert fake.commands == ["eval.py"] + 2 * ["train.py", "eval.py"]


def test_a_killed_runner_loses_none_of_its_time(sample, tmp_path, faked):
    """After kill -9 nothing is put down; the log tells how long the script had worked. Its processor time is not known."""

    def killed(command, cwd, log, say):
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "w") as f:
            f.write("epoch 1\n")
        state = tmp_path / "two" / "sample-video-seed0" / "state.json"
        values = json.loads(state.read_text())
        values["model"]["began"] -= 100  # as if it had worked so long
        state.write_text(json.dumps(values))
        raise SystemExit

    for _ in range(2):
        faked(killed)
        with pytest.raises(SystemExit):
            make_runner(tmp_path, sample).run("two")
    fake = faked(Fake())
    result = make_runner(tmp_path, sample).run("two")
    assert fake.commands == ["train.py", "eval.py"]
    assert 202 <= result["seconds"] < 210
    assert result["cpu_seconds"] == 0
    assert result["eval_seconds"] == 2.0


def test_what_several_begin_with_is_trained_once(sample, tmp_path, faked):
    stages = [{"name": "model", "flags": "--model=MoeModel --init_from={run:two}"}]
    own = {**DATA, "level": "video", "stages": stages}
    values = dict(
        table="1", row="r", order=2, source="s", reported={}, notes="", paper=own, small=own
    )
    recipes = {
        "two": RECIPES["two"],
        **{n: paper_row.parse({"name": n, **values}, "test") for n in ("later", "other")},
    }
    fake = faked(Fake())
    start = runner.Runner(recipes, str(tmp_path), sample, SIZES, lambda text: None)
    results = [start.run(n) for n in ("later", "other")]
    assert fake.commands == 3 * ["train.py", "eval.py"]
    assert all(
        "--init_from=runs/recipes/two/sample-video-seed0/model" in r["commands"][0] for r in results
    )


def test_other_settings_are_refused(sample, tmp_path, faked):
    faked(Fake())
    make_runner(tmp_path, sample).run("two")
    changed = {"two": recipe("two", "--model=MoeModel --batch_size=64")}
    with pytest.raises(UserError, match="other settings; --again"):
        runner.Runner(changed, str(tmp_path), sample, SIZES, print).run("two")


def test_what_is_made_from_a_run_is_not_taken_for_that_of_another(sample, tmp_path, faked):
    """An input run anew leaves the commands of what used it as they were: the folders have the same names."""
    stages = [{"name": "model", "flags": "--model=MoeModel --init_from={run:two}"}]
    own = {**DATA, "level": "video", "stages": stages}
    values = dict(
        table="1", row="r", order=2, source="s", reported={}, notes="", paper=own, small=own
    )
    recipes = {"two": RECIPES["two"], "later": paper_row.parse({"name": "later", **values}, "test")}
    start = runner.Runner(recipes, str(tmp_path), sample, SIZES, lambda text: None)
    faked(Fake())
    first = start.run("later")
    start.run("two", again=True)
    assert start.run("later") == first, "the same numbers: a run can be repeated"
    faked(Fake(gap=0.6))
    start.run("two", again=True)
    with pytest.raises(UserError, match="made from an earlier run of two; --again"):
        start.run("later")
    assert start.run("later", again=True)["metrics"]["gap"] == 0.6
    assert start.run("later")["metrics"]["gap"] == 0.6


def test_a_fusion_that_has_made_nothing_takes_its_inputs_as_they_are_now(sample, tmp_path, faked):
    faked(Fake(fail_at="inference.py"))
    with pytest.raises(runner.Failed):
        make_runner(tmp_path, sample).run("both")
    faked(Fake(gap=0.6))
    make_runner(tmp_path, sample).run("two", data_name="sample-video", again=True)
    fake = faked(Fake(fail_at="fusion.py"))
    with pytest.raises(runner.Failed):
        make_runner(tmp_path, sample).run("both")
    assert fake.commands == ["inference.py", "inference.py", "fusion.py"]


def test_run_all_goes_past_failures_and_stops_when_asked(
    sample, tmp_path, faked, monkeypatch, capsys
):
    monkeypatch.setattr(
        runner.Runner, "__init__", lambda self, *a: _init(self, *a[:3], SIZES, lambda text: None)
    )
    fake = faked(Fake(fail_at="train.py"))
    a = command_line.parser().parse_args(
        ["run-all", f"--out_dir={tmp_path}", f"--sample_dir={sample}"]
    )
    assert command_line._run_all(a, {n: RECIPES[n] for n in ("two", "logistic")}) == 1
    assert fake.commands == ["train.py", "train.py"]
    assert "0 of 2 done" in capsys.readouterr().out

    def stopped(command, cwd, log, say):
        return process.Finished(143, 1.0, 0)

    def ended_well(
        command, cwd, log, say
    ):  # as where the signal comes with the last line of a script
        return process.Finished(0, 1.0, 0, stopped=15)

    for how in (stopped, ended_well):
        faked(how)
        with pytest.raises(runner.Failed) as error:
            command_line._run_all(a, {n: RECIPES[n] for n in ("two", "logistic")})
        assert error.value.code == 143


_init = runner.Runner.__init__


def test_a_missing_sample_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("YT8M_SAMPLE_DIR", raising=False)
    with pytest.raises(UserError, match=r"--sample_dir or \$YT8M_SAMPLE_DIR"):
        make_runner(tmp_path).run("two")
    with pytest.raises(UserError, match="has no train/"):
        make_runner(tmp_path, str(tmp_path)).run("two")
    assert command_line.main(["run", "video-moe-2", f"--out_dir={tmp_path}"]) == 2
    assert capsys.readouterr().err.startswith("error: this recipe runs on a real sample")
    assert command_line.main(["show", "video-moe"]) == 2
    assert "Did you mean" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told(sample, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert (
        command_line.main(
            ["run", "video-moe-2", f"--out_dir={tmp_path / 'file'}", f"--sample_dir={sample}"]
        )
        == 2
    )
    assert (
        "Not a directory; --out_dir names a folder that can be written" in capsys.readouterr().err
    )


def test_a_sample_too_small_is_told(sample, tmp_path):
    with pytest.raises(UserError, match="holds 2 shards, but .* takes 20"):
        make("sample-video", str(tmp_path), sample)


def test_the_papers_variant_wants_records(sample, tmp_path, faked):
    with pytest.raises(UserError, match="--variant=paper needs --data"):
        make_runner(tmp_path, sample).run("two", "paper")
    with pytest.raises(UserError, match="neither a data set nor a folder"):
        make_runner(tmp_path, sample).run("two", "paper", "no-such-folder")
    fake, lines = faked(Fake()), []
    result = make_runner(tmp_path, sample, lines.append).run("two", "paper", sample)
    assert "validate/*.tfrecord to evaluate on. The paper had: sample-video" in lines[0], (
        "a folder's splits may be others than the paper's"
    )
    assert fake.commands == ["train.py", "eval.py"]
    assert f"{sample}/train/*.tfrecord" in result["commands"][0]


def test_a_folder_of_both_levels_serves_each_recipe_its_own(tmp_path):
    for level in ("video", "frame"):
        os.makedirs(tmp_path / f"{level}_level" / "train")
    found = describe(str(tmp_path), "", level="frame")
    assert found.train.endswith("frame_level/train/*.tfrecord")
    assert found.validation("video").endswith("video_level/validate*.tfrecord")


def test_without_the_scripts_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "ROOT", str(tmp_path))
    with pytest.raises(UserError, match="from a checkout"):
        make_runner(tmp_path)


def test_a_process_is_measured_and_logged(tmp_path):
    lines = []
    code = "import sys; x = b'x' * 50_000_000; print('hello'); sys.exit(5)"
    ended = process.run(
        [sys.executable, "-c", code], str(tmp_path), str(tmp_path / "log" / "a.log"), lines.append
    )
    assert ended.code == 5
    assert lines == ["hello"]
    assert (tmp_path / "log" / "a.log").read_text() == "hello\n"
    assert ended.seconds > 0
    assert ended.cpu_seconds > 0
    assert ended.peak_bytes > 50_000_000


def test_asked_to_stop_while_a_script_cannot_save_anything(tmp_path):
    """A script that is still importing, or evaluating, dies of SIGTERM: that is a stop, not a failure to go past."""
    child = "import time; print('up', flush=True); time.sleep(60)"
    code = (
        "import os, signal, sys; from yt8m.papers import process\n"
        f"ended = process.run([sys.executable, '-c', {child!r}], '.', {str(tmp_path / 'a.log')!r}, lambda _: os.kill(os.getpid(), signal.SIGTERM))\n"
        "print(ended.code, ended.stopped)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, cwd=runner.ROOT
    )
    assert done.stdout == "143 15\n", done.stderr


def test_nothing_goes_on_behind_a_closed_pipe(tmp_path, monkeypatch, capsys):
    pids = []

    def closed(line):
        pids.append(int(line))
        raise BrokenPipeError

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(BrokenPipeError):
        process.run([sys.executable, "-c", code], str(tmp_path), str(tmp_path / "a.log"), closed)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)

    def broken(*_):
        raise BrokenPipeError

    monkeypatch.setattr(
        command_line.os, "dup2", lambda *_: None
    )  # which would close the tests' own stdout
    for arguments, expected in (
        (["run", "lstm"], 141),
        (["run-all"], 141),
        (["list"], 0),
        (["table", "1", "--norun"], 0),
    ):
        monkeypatch.setitem(command_line._DO, arguments[0], broken)
        with capsys.disabled():
            assert command_line.main(arguments) == expected


def test_frames_are_made_around_the_same_videos(sample, tmp_path):
    from yt8m.data.files.shards import find_shards
    from yt8m.data.find_schema import find_schema
    from yt8m.data.pipeline import build_dataset

    made = make("sample-frames", str(tmp_path), sample, SIZES)
    ids = {}
    for level in ("frame", "video"):
        files = find_shards(made.validation(level))
        schema, _ = find_schema(files)
        ids[level] = sorted(
            i for b in build_dataset(files, schema, batch_size=8) for i in b["id"].numpy()
        )
        assert schema.level == level
    assert ids["frame"] == ids["video"]
    assert len(ids["frame"]) == 30
    assert (
        make("sample-frames", str(tmp_path), "", SIZES) == made
    )  # there already: no sample needed
    with pytest.raises(UserError, match="of other sizes"):
        make("sample-frames", str(tmp_path), sample, Sizes())


def test_a_part_has_the_first_shards_and_the_same_videos_to_evaluate_on(sample, tmp_path):
    part, base, whole = (
        make(f"sample-video{n}", str(tmp_path), sample, SIZES) for n in ("-few", "", "-all")
    )
    names = [sorted(os.path.basename(p) for p in glob.glob(x.train)) for x in (part, base, whole)]
    assert names[0] == names[1] == names[2][:1]
    assert len(names[2]) == 2
    assert part.validate == base.validate
    assert part.name == "sample-video-few"
    with pytest.raises(UserError, match="holds 1 shards.*takes 2"):
        make("sample-frames-some", str(tmp_path), sample, dataclasses.replace(SIZES, frames_some=2))


def test_a_set_of_one_label_a_video_is_made(sample, tmp_path):
    from yt8m.data.files.shards import find_shards
    from yt8m.data.find_schema import find_schema
    from yt8m.data.pipeline import build_dataset

    def read(pattern):
        files = find_shards(pattern)
        schema, _ = find_schema(files, num_classes=12)
        return {i: (b["labels"][n].numpy(), b["video"][n].numpy()) for b in build_dataset(files, schema, batch_size=16)
                for n, i in enumerate(b["id"].numpy())}  # fmt: skip

    single, whole = (
        make("sample-single", str(tmp_path), sample, SIZES),
        make("sample-video-all", str(tmp_path), sample, SIZES),
    )
    assert single.flags == ("--num_classes=5",)
    for got, had in (
        (read(single.train), read(whole.train)),
        (read(single.validation()), read(whole.validation())),
    ):
        assert set(got) == {i for i, (labels, _) in had.items() if labels[:5].any()}
        assert 0 < len(got) < len(had)
        for i, (labels, video) in got.items():
            assert labels.sum() == 1
            assert labels.argmax() == max(c for c in range(5) if had[i][0][c])
            assert (video == had[i][1]).all()


@pytest.mark.slow
def test_two_models_are_trained_evaluated_and_fused(sample, tmp_path):
    """Real processes: about a minute."""
    result = make_runner(tmp_path, sample).run("both")
    assert result["metrics"]["num_examples"] == 30
    assert 0 < result["metrics"]["gap"] <= 1
    assert set(result["inputs"]) == {"two@sample-video", "frames"}
    assert result["best_single"]["gap"] == max(m["gap"] for m in result["inputs"].values())
    assert result["fit_on_half"]["metrics"]["num_examples"] == 15
    by_name = {r["recipe"]: r for r in in_folder(str(tmp_path))}
    assert set(by_name) == {"two", "frames", "both"}
    two = by_name["two"]
    assert two["examples_per_second"] > 0
    assert two["peak_bytes"] > 1e8
    assert two["data"]["train"]["shards"] == 1
    assert two["versions"]["tensorflow"]
    assert two["metrics"]["num_examples"] == 60
    assert two["commands"][0].startswith("python train.py --model=MoeModel")
    text = (tmp_path / "two" / "sample-video-seed0" / "model.log").read_text()
    assert "epoch 1/1" in text
    assert make_runner(tmp_path, sample).run("both") == result


def test_results_tell_no_place_of_the_machine(sample, tmp_path, faked):
    faked(Fake())
    result = make_runner(tmp_path, sample).run("two")
    assert str(tmp_path) not in " ".join(result["commands"]).replace(sample, "")
    assert "--train_dir=runs/recipes/two/" in result["commands"][0]


@pytest.mark.parametrize(
    "place", ["/tmp/x", "runs/other", "x", "runs/of another place", "runs/recipes"]
)
def test_commands_compare_equal_wherever_they_were_run(place):
    """Within the checkout and outside, in a folder whose name a shell must quote, and in one of a short name."""
    start = make_runner(os.path.join(runner.ROOT, place))
    at = start.out_dir
    step = commands.Step(
        "m",
        "train",
        ("train.py", f"--train_dir={at}/a", f"--inputs={at}/a,{at}/b", "--of=max/2"),
        "",
    )
    assert (
        start.shown(step)
        == "python train.py --train_dir=runs/recipes/a --inputs=runs/recipes/a,runs/recipes/b --of=max/2"
    )
