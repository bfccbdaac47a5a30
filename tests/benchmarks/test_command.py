"""The command line of the benchmarks, and what a file of `benchmarks/cases` has to contain."""

import subprocess
import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.cases import BENCHMARKS
from benchmarks.harness.benchmark import METRICS
from benchmarks.harness.settings import ROOT
from yt8m.errors import UserError


def test_list_names_every_benchmark_its_rivals_and_goals(capsys):
    assert main(["--list", "--only=train-moe,eval-moe"]) == 0
    printed = capsys.readouterr().out
    assert "train-moe: train MoeModel, batch 1024\n  measures ours float32" in printed
    assert "goal: examples_per_second, bfloat16 / starter >= 3.2" in printed
    assert "goal: wall_seconds, bfloat16 <= 5" in printed
    assert "train-dbof" not in printed


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda b: b.name)
def test_a_benchmark_compares_what_it_measures(benchmark):
    names = [contender.name for contender in benchmark.contenders]
    assert len(set(names)) == len(names)
    for comparison in benchmark.comparisons:
        assert comparison.of in names
        assert comparison.beside in (*names, "")
        assert set(comparison.metrics) <= set(METRICS)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--only=train-mo", "--only=train-mo is no benchmark. Did you mean train-moe"),
        ("--rounds=0", "--rounds=0: 1 or more"),
        ("--garden_python=/nowhere/python", "does not exist"),
        ("--sample_dir=", "must name the records"),
    ],
)
def test_a_wrong_flag_is_refused(argument, message, tmp_path):
    with pytest.raises(UserError, match=message):
        main([f"--sample_dir={tmp_path}", argument])


def test_the_runner_does_not_import_tensorflow():
    """TensorFlow 2 sets variables with which the starter code's TensorFlow 1 does not start."""
    imports = "import sys, benchmarks.__main__; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imports], cwd=ROOT).returncode == 0
