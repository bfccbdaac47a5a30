"""What the benchmarks refuse, before they measure."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def test_a_way_of_another_name_is_not_timed_under_it():
    """It was computed in-process, whatever it was called."""
    command = [
        sys.executable,
        os.path.join("benchmarks", "full_batch_gradient.py"),
        "--ways=plain,plane",
        "--data_pattern=none",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": ROOT}
    )
    assert done.returncode == 2 and "error: --ways=plain,plane: plane is none of" in done.stderr, (
        done.stderr
    )
