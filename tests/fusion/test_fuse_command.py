"""The fuse command: exit codes, and messages without a traceback."""

import numpy as np
import pytest

from tests.support.commands import refused, run_command
from yt8m.submission.score_files import ScoreWriter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("scores")
    rng = np.random.default_rng(0)
    for name, classes in (("a", 6), ("b", 6), ("wide", 7)):
        with ScoreWriter(str(path / name), classes) as w:
            w.write(["x", "y"], rng.random((2, classes)))
    (path / "labels.csv").write_text("x,0\ny,1\n")
    return path


def test_success(folder, tmp_path):
    out = tmp_path / "s.csv"
    done = run_command(
        "fuse",
        f"--inputs={folder}/a,{folder}/b",
        f"--output_file={out}",
        f"--labels={folder}/labels.csv",
        "--top_k=20",
    )
    assert done.code == 0, done.err
    assert out.read_text().startswith("VideoId,LabelConfidencePairs\nx,")
    assert "over the best input" in done.out
    assert f"wrote {out}" in done.out
    assert "6 classes" in done.err  # the notice that top_k was clamped


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--inputs={0}/a,{0}/wide --output_file={1}/s.csv", "numbers of classes"),
        (
            "--inputs={0}/a,{0}/b --output_file={1}/s.csv --method=weighted --weights=1,x",
            "expected numbers",
        ),
        ("--inputs={0}/a,{0}/b --output_scores={1}/file/s", "cannot write"),
        ("--inputs={0}/a,{0}/./a --output_file={1}/s.csv", "names one input twice"),
        (
            "--inputs={0}/a,{0}/b --output_file={1}/s.csv --output_metrics={1}/m.json",
            "--output_metrics needs --labels",
        ),
    ],
)
def test_a_mistake_leaves_no_file_behind(folder, tmp_path, flags, message):
    (tmp_path / "file").write_text("")
    assert message in refused("fuse", *flags.format(folder, tmp_path).split())
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_scores_that_are_no_probabilities_are_warned_of(tmp_path):
    for name, scores in {"a": (0.4, 0.3), "b": (-3, 44)}.items():
        lines = "".join(f"v{i},9 {scores[0]} 7 {scores[1]}\n" for i in range(2))
        (tmp_path / f"{name}.csv").write_text("VideoId,LabelConfidencePairs\n" + lines)
    inputs = f"--inputs={tmp_path}/a.csv,{tmp_path}/b.csv"
    done = run_command("fuse", inputs, f"--output_file={tmp_path}/f.csv")
    assert done.code == 0
    assert f"{tmp_path}/b.csv has scores from -3 to 44" in done.err
    assert "a.csv has scores" not in done.err
