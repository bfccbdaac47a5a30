"""Options that the benchmarks refuse before they measure."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def test_a_way_of_another_name_is_not_timed_under_it():
    """An unknown way would be computed in-process under its own name."""
    command = [
        sys.executable,
        os.path.join("benchmarks", "full_batch_gradient.py"),
        "--ways=plain,plane",
        "--data_pattern=none",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": ROOT}
    )
    assert done.returncode == 2, done.stderr
    assert "error: --ways=plain,plane: plane is none of" in done.stderr
