"""fusion.py as a process: exit codes, and messages without a traceback."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from yt8m.submission.score_files import ScoreWriter

ROOT = pathlib.Path(__file__).parents[2]


def run(*flags):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, str(ROOT / "fusion.py"), *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)


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
    done = run(
        f"--inputs={folder}/a,{folder}/b",
        f"--output_file={out}",
        f"--labels={folder}/labels.csv",
        "--top_k=20",
    )
    assert done.returncode == 0, done.stderr
    assert out.read_text().startswith("VideoId,LabelConfidencePairs\nx,")
    assert "over the best input" in done.stdout
    assert f"wrote {out}" in done.stdout
    assert "6 classes" in done.stderr  # the notice that top_k was clamped


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--inputs={0}/a,{0}/wide", "--output_file={1}/s.csv"], "number of classes"),
        (
            [
                "--inputs={0}/a,{0}/b",
                "--output_file={1}/s.csv",
                "--method=weighted",
                "--weights=1,x",
            ],
            "expected numbers",
        ),
        (["--inputs={0}/a,{0}/b", "--output_scores={1}/file/s"], "cannot write"),
    ],
)
def test_a_mistake_ends_with_code_2_and_no_traceback(folder, tmp_path, flags, message):
    (tmp_path / "file").write_text("")
    done = run(*[f.format(folder, tmp_path) for f in flags])
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
