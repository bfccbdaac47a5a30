"""The starter code's commands as contenders (google/youtube-8m at e6f6bf6), and its output."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness.benchmark import Command, Contender
from benchmarks.harness.settings import ROOT, Settings

if TYPE_CHECKING:
    from benchmarks.harness.work import Work

LABEL = "starter code"
_STEP = re.compile(r"training step (\d+) \|.*?Examples/sec: ([\d.]+)")
_FEATURES = {
    "video": ("--feature_names=mean_rgb,mean_audio", "--feature_sizes=1024,128"),
    "frame": ("--frame_features", "--feature_names=rgb,audio", "--feature_sizes=1024,128"),
}


def command(settings: Settings, program: object, *arguments: object) -> Command:
    """Return one of the starter code's programs, or one of ours for its Python, in its folder."""
    return Command(
        [settings.starter_python, str(program), *map(str, arguments)],
        Path(settings.starter_code),
        {"PYTHONPATH": ""},
    )


def train(settings: Settings, level: str, data: str, run: Path, flags: Sequence[str]) -> Command:
    """Return its train.py; it saves the model at step 10, and not again."""
    return command(
        settings,
        "train.py",
        f"--train_data_pattern={data}",
        f"--train_dir={run}",
        "--start_new_model",
        "--export_model_steps=1000000",
        *_FEATURES[level],
        *flags,
    )


def trainer(level: str, flags: Sequence[str], size: tuple[str, str], skip: int = 2) -> Contender:
    """Return its training as a contender; the arguments are those of `ours.trainers`.

    Args:
      level: "video" or "frame".
      flags: those of its train.py.
      size: the flag that decides the length, for a full and for a quick run.
      skip: steps at the start that are left out.
    """

    def start(work: Work, folder: Path) -> Command:
        length = size[1] if work.settings.quick else size[0]
        data = work.records(level)
        return train(work.settings, level, data, folder / "run", [*flags, length])

    return Contender("starter", LABEL, start, lambda output, _: speed(output, skip), "starter")


def inference(settings: Settings, *arguments: object) -> Command:
    """Return its inference.py, started so that Python 3 can run it."""
    launcher = ROOT / "benchmarks" / "children" / "starter_inference.py"
    return command(settings, launcher, settings.starter_code, *arguments)


def speeds(output: str) -> list[float]:
    """Return the examples/s of each step that train.py has logged, in the order of the steps."""
    return [float(found[2]) for found in _STEP.finditer(output)]


def speed(output: str, skip: int = 2) -> dict[str, float]:
    """Return the median examples/s of the steps; the first `skip` have the start and are left out.

    Raises:
      ValueError: there are too few steps.
    """
    counted = speeds(output)[skip:]
    if not counted:
        raise ValueError(f"the starter code has logged no more than {skip} steps")
    return {"examples_per_second": statistics.median(counted)}
