import importlib.metadata
import json
import sys

import pytest

from yt8m.accelerators.compilation import compile_all as module
from yt8m.accelerators.compilation.compile_all import compile_all, summary
from yt8m.accelerators.compilation.request import Request
from yt8m.accelerators.compilation.results import Results, is_current
from yt8m.errors import UserError

MOE = Request("MoeModel", "train", "bfloat16", "v5e:2x2", 512)
LOGISTIC = Request("LogisticModel", "predict", "bfloat16", "v5e:2x2", 512)
FOUND = {
    "program_hash": "one",
    "examples": 512,
    "num_frames": 0,
    "argument_bytes": 10**9,
    "output_bytes": 0,
    "alias_bytes": 0,
    "temporary_bytes": 10**9,
    "flops": 1e9,
    "bytes": 1e9,
    "compile_seconds": 7.0,
}
# A child in place of `compile_one`: it notes each call, and then does what the test says.
CHILD = """
import json, os, sys
asked, path, known = sys.argv[1:]
with open({calls!r}, "a") as file:
    file.write(json.dumps([json.loads(asked), known]) + chr(10))
found = {found!r}
{body}
with open(path, "w") as file:
    json.dump(found, file)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PACKAGES", ("numpy", "absl-py"))
    monkeypatch.setattr(module, "_COMPILER", "numpy")
    results, calls = Results(str(tmp_path / "results.json")), tmp_path / "calls"

    def go(requests, body="", minutes=1.0):
        """Return (the rows, the calls of the child since the test began)."""
        code = CHILD.format(calls=str(calls), found=FOUND, body=body)
        child = [sys.executable, "-c", code]
        compile_all(requests, results, minutes, lambda line: None, child)
        made = [json.loads(line) for line in calls.read_text().splitlines()]
        return Results(results.path), made

    return go


def test_each_program_is_compiled_once(run):
    rows, calls = run([MOE, LOGISTIC])
    assert [row["model"] for row in rows.rows()] == ["LogisticModel", "MoeModel"]
    assert rows.get(MOE)["flops"] == 1e9
    assert is_current(rows.get(MOE))
    assert not rows.stale()
    _, calls = run([MOE, LOGISTIC])
    assert len(calls) == 2


def test_a_crash_is_a_row_and_the_next_program_is_compiled(run):
    crash = 'if "MoeModel" in asked: print("a last word", flush=True); os._exit(3)'
    rows, _ = run([MOE, LOGISTIC], crash)
    assert rows.get(MOE)["error"] == "the compiler ended with code 3: a last word"
    assert "not compiled" in summary(rows.get(MOE))
    assert "error" not in rows.get(LOGISTIC)


def test_a_program_that_takes_too_long_is_stopped(run):
    rows, _ = run([MOE], "import time; time.sleep(60)", minutes=0.02)
    assert "was killed after 0.02 minutes" in rows.get(MOE)["error"]


def test_half_the_batch_follows_one_that_does_not_fit(run):
    too_large = """
if json.loads(asked)["batch_size"] > 128:
    found = {"program_hash": "one", "error": "no room", "too_large": True}
"""
    rows, calls = run([MOE], too_large)
    assert [asked["batch_size"] for asked, _ in calls] == [512, 256, 128]
    assert [("error" in row) for row in rows.rows()] == [True, True, False]
    _, calls = run([MOE], too_large)  # nothing is repeated
    assert len(calls) == 3


def test_a_changed_source_with_the_same_program_is_not_compiled_again(run, monkeypatch):
    before, _ = run([MOE])
    monkeypatch.setattr(module, "source_hash", lambda model, program: "another")
    monkeypatch.setattr(module, "is_current", lambda row: row["source_hash"] == "another")
    skipped = 'assert known == "one"; found = {"program_hash": "one"}'
    rows, calls = run([MOE], skipped)
    assert len(calls) == 2
    assert rows.get(MOE) == {**before.get(MOE), "source_hash": "another"}


def test_another_compiler_compiles_again(run, monkeypatch):
    run([MOE])
    monkeypatch.setattr(module, "is_current", lambda row: False)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    _, calls = run([MOE])
    assert calls[-1][1] == ""


def test_a_file_that_holds_no_results_is_refused(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("[]")
    with pytest.raises(UserError, match="is not a file of results"):
        Results(str(path))
