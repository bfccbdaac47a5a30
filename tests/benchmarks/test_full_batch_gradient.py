"""Options that a benchmark refuses before it measures."""

import os
import subprocess
import sys

from benchmarks.harness.settings import ROOT


def test_a_way_of_another_name_is_not_timed_under_it():
    """An unknown way would be computed in-process under its own name."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.full_batch_gradient",
        "--ways=plain,plane",
        "--data_pattern=none",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2, done.stderr
    assert "error: --ways=plain,plane: plane is none of" in done.stderr
