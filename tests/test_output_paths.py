"""No command writes over what it reads, over another output, or over a file of another kind."""

import os
import shutil

import pytest

from tests.support.commands import refused, run_command
from tests.support.runs import run_config
from tests.support.untrained import save_untrained
from yt8m.errors import UserError
from yt8m.output_paths import check_apart, check_replaceable, named_files


@pytest.fixture
def shard(small_data, tmp_path):
    """A copy of a shard, which the commands here would overwrite."""
    path = tmp_path / "own.tfrecord"
    source = named_files(small_data.pattern("validate", "video"))[0]
    shutil.copy(source, path)
    return path


@pytest.fixture
def run(small_data, tmp_path):
    return save_untrained(run_config(small_data, "LogisticModel"), tmp_path / "run")


def test_paths_that_are_one(tmp_path):
    a, b = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    open(a, "w").close()
    os.symlink(a, b)
    check_apart({"--x": a, "--y": ""}, {"--z": [str(tmp_path / "c.csv")]})
    with pytest.raises(UserError, match="--x and --y both name"):
        check_apart({"--x": a, "--y": f"{tmp_path}/./a.csv"}, {})
    with pytest.raises(UserError, match=r"--x=.*a\.csv is also an input, of --z"):
        check_apart({"--x": a}, {"--z": [a]})
    with pytest.raises(UserError, match="is also an input"):
        check_apart({"--x": b}, {"--z": [a]})
    with pytest.raises(UserError, match="is also an input"):
        check_apart({"--x": f"{tmp_path}/scores/meta.json"}, {"--z": [f"{tmp_path}/scores"]})


def test_files_of_another_kind_stay(tmp_path):
    path = tmp_path / "x"
    for content, is_like in [(b"", True), (b"VideoId,L", True), (b"\xef\xbb\xbfvideoid,", True),
                             (b"\x90\x01\0\0", False), (b'{"a": 1}', False)]:  # fmt: skip
        path.write_bytes(content)
        if is_like:
            check_replaceable(str(path), "--o", "a submission", ("videoid,",))
            continue
        with pytest.raises(UserError, match=f"--o={path} exists and is not a submission"):
            check_replaceable(str(path), "--o", "a submission", ("videoid,",))
        check_replaceable(str(path), "--o")  # of whose kind nothing is known


@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        (["--output_file={shard}"], "is also an input, of --input_data_pattern"),
        (["--output_model_tgz={shard}"], "is also an input, of --input_data_pattern"),
        (["--output_file={run}/config.json"], "exists and is not a submission"),
        (["--output_file={out}", "--output_model_tgz={out}"], "both name"),
        (["--output_file={out}", "--output_scores={out}"], "both name"),
        (["--output_file={out}", "--with_names", "--vocabulary_file={out}"], "is also an input"),
    ],
)
def test_predict(outputs, problem, shard, run, tmp_path):
    before = shard.read_bytes(), (tmp_path / "run/config.json").read_bytes()
    places = {"shard": shard, "run": run, "out": tmp_path / "out.csv"}
    (tmp_path / "out.csv").write_text("VideoId,LabelConfidencePairs\n")
    flags = [flag.format(**places) for flag in outputs]
    message = refused("predict", f"--train_dir={run}", f"--input_data_pattern={shard}", *flags)
    assert problem in message
    assert before == (shard.read_bytes(), (tmp_path / "run/config.json").read_bytes())


def test_predictions_as_json_are_not_replaced(tmp_path):
    made = tmp_path / "a.json"
    made.write_text('{"video_id": "a", "class_indexes": [1], "predictions": [0.5]}\n')
    assert "is also an input" in refused(
        "predict", f"--input_json_pattern={made}", f"--output_file={made}"
    )
    assert made.read_text().startswith("{")


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--output_file=o.csv", "--output_metrics=o.csv"], "both name"),
        (["--output_metrics=m.json", "--output_details=m.json"], "both name"),
        (["--output_file=o.csv", "--output_metrics=labels.csv"], "is also an input, of --labels"),
        (["--output_file=a.csv"], "is also an input, of --inputs"),
        (["--output_file=labels2.csv"], "exists and is not a submission"),
        (["--output_metrics=package.json"], "exists and is not a fusion's JSON file"),
        (["--output_details=package.json"], "exists and is not a fusion's JSON file"),
    ],
)
def test_fuse(flags, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("VideoId,LabelConfidencePairs\nv,1 0.5\n")
    for name in ("labels.csv", "labels2.csv"):
        (tmp_path / name).write_text("v,1\n")
    (tmp_path / "package.json").write_text('{\n  "name": "mine"\n}\n')
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert problem in refused("fuse", "--inputs=a.csv,b.csv", "--labels=labels.csv", *flags)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_the_file_with_names(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("VideoId,LabelConfidencePairs\nv,1 0.5\n")
    (tmp_path / "v.csv").write_text("0,cat\n1,dog\n")
    more = (f"--inputs={tmp_path}/a.csv,{tmp_path}/b.csv", f"--vocabulary_file={tmp_path}/v.csv")
    for kind in ("csv", "jsonl"):
        (tmp_path / f"f.named.{kind}").write_text("notes")
        flags = (f"--output_file={tmp_path}/f.csv", "--with_names", f"--names_format={kind}")
        more = (
            f"--inputs={tmp_path}/a.csv,{tmp_path}/b.csv",
            f"--vocabulary_file={tmp_path}/v.csv",
        )
        assert "is not a file of predictions with names" in refused("fuse", *flags, *more)
        assert (tmp_path / f"f.named.{kind}").read_text() == "notes"


def test_other_commands(shard, run):
    before = shard.read_bytes()
    assert "is also an input" in refused("conformance", str(shard), f"--save={shard}")
    assert "is not a page" in refused("report", str(run), f"--out={run}/config.json")
    assert "has a model" in refused(
        "eval", f"--train_dir={run}", f"--eval_data_pattern={shard}", f"--output_dir={run}/best"
    )
    report = shard.parent / "report.md"
    report.write_text("# My thesis")
    flags = (f"--data_pattern={shard}", f"--out_dir={shard.parent}", "--nofigures")
    assert "is not a report of analyse" in refused("analyse", *flags)
    assert report.read_text() == "# My thesis"
    assert "is not a list of paths" in refused(
        "download", "--split=train", "--share=1", f"--list_gs={shard}"
    )
    assert before == shard.read_bytes()


def test_a_bundle_is_unpacked_beside_nothing_else(shard, run, tmp_path):
    bundle, other = tmp_path / "x.tgz", tmp_path / "other"
    ended = run_command("predict", f"--train_dir={run}", f"--output_model_tgz={bundle}")
    assert ended.code == 0, ended.err
    flags = [f"--input_model_tgz={bundle}", f"--input_data_pattern={shard}", "--output_file="]
    flags[-1] += str(tmp_path / "o.csv")
    other.mkdir()
    (other / "config.json").write_text("precious")
    assert "--untar_model_dir" in refused("predict", *flags, f"--untar_model_dir={other}")
    assert (other / "config.json").read_text() == "precious"
    (run_of_other := tmp_path / "finished").mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (run_of_other / name).write_text("{}")
    assert "metrics.jsonl" in refused("predict", *flags, f"--untar_model_dir={run_of_other}")
    for _ in range(2):  # an earlier bundle is replaced
        ended = run_command("predict", *flags, f"--untar_model_dir={tmp_path}/new")
        assert ended.code == 0, ended.err
