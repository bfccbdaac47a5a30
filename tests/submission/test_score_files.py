"""Score folders: appended in batches, whole or absent, read without loading."""

import os
import subprocess
import sys

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.submission.score_files import ScoreFile, ScoreWriter

SCORES = np.random.default_rng(0).random((10, 4), dtype=np.float32)
IDS = [f"id{i}" for i in range(10)]


def write(path, rows=slice(None), dtype="float32", **kwargs):
    with ScoreWriter(str(path), 4, dtype, **kwargs) as writer:
        for start in range(*rows.indices(10))[::3]:
            part = slice(start, min(start + 3, rows.indices(10)[1]))
            writer.write([i.encode() for i in IDS[part]], SCORES[part])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_round_trip(tmp_path, dtype):
    write(tmp_path / "s", dtype=dtype, meta={"run": "r"})
    back = ScoreFile(str(tmp_path / "s"))
    assert isinstance(back.scores, np.memmap)
    assert back.scores.dtype == dtype
    assert (back.num_classes, back.ids, back.meta["run"]) == (4, IDS, "r")
    np.testing.assert_array_equal(back.scores, SCORES.astype(dtype))
    np.testing.assert_array_equal(np.load(tmp_path / "s" / "scores.npy"), SCORES.astype(dtype))
    assert os.listdir(tmp_path) == ["s"]


def test_an_older_folder_is_replaced_only_by_a_whole_one(tmp_path):
    write(tmp_path / "s", slice(0, 3))
    refused = pytest.raises(ValueError, match="expected scores of shape")
    with refused, ScoreWriter(str(tmp_path / "s"), 4) as writer:
        writer.write(IDS, SCORES)
        writer.write(["a"], np.zeros((1, 5)))
    assert ScoreFile(str(tmp_path / "s")).ids == IDS[:3]
    write(tmp_path / "s")
    assert ScoreFile(str(tmp_path / "s")).ids == IDS
    assert os.listdir(tmp_path) == ["s"]


def test_a_killed_writer_leaves_nothing_that_looks_finished(tmp_path):
    code = (
        "import os, sys, numpy as np\n"
        "from yt8m.submission.score_files import ScoreWriter\n"
        "w = ScoreWriter(sys.argv[1], 4)\n"
        "w.write(['a'], np.zeros((1, 4)))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "s")], check=False)
    assert done.returncode == -9
    with pytest.raises(UserError, match="did not finish"):
        ScoreFile(str(tmp_path / "s"))
    write(tmp_path / "s")  # what was left does not stand in the way
    assert os.listdir(tmp_path) == ["s"]
    assert ScoreFile(str(tmp_path / "s")).ids == IDS


def test_no_videos_at_all(tmp_path):
    ScoreWriter(str(tmp_path / "s"), 4).close()
    assert ScoreFile(str(tmp_path / "s")).scores.shape == (0, 4)


def test_refusals(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="not overwritten"):
        ScoreWriter(str(tmp_path / "mine"), 4)
    with pytest.raises(UserError, match="cannot write"):
        ScoreWriter(str(tmp_path / "mine" / "thesis.txt" / "s"), 4)
    with pytest.raises(UserError, match="memory-mapped"):
        ScoreWriter("gs://bucket/s", 4)
    with pytest.raises(UserError, match="not a score folder"):
        ScoreFile(str(tmp_path / "mine"))
    write(tmp_path / "t")
    (tmp_path / "t" / "ids.txt").write_text("a\n")
    with pytest.raises(UserError, match="1 ids"):
        ScoreFile(str(tmp_path / "t"))
