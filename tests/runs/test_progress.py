"""The lines of a training, and its curves in TensorBoard after a restart."""

import os
import pathlib

import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from yt8m.runs.folder import RunFolder
from yt8m.runs.progress import Progress

PREFIX = "events.out.tfevents."


@pytest.fixture
def run(tmp_path):
    return RunFolder(str(tmp_path))


def log(run, steps, goes_on_after=None):
    """Log some steps as one process does, which began ten seconds after the one before it."""
    logs = pathlib.Path(run.file("logs"))
    for path in sorted(logs.glob("*")):  # the oldest first, which makes room for the next
        second, _, rest = path.name.removeprefix(PREFIX).partition(".")
        path.rename(logs / f"{PREFIX}{int(second) - 10}.{rest}")
    progress = Progress(run, active=True, every_seconds=1e9)
    if goes_on_after is not None:
        progress.goes_on_after(goes_on_after)
    for step in steps:
        values = {"step": step, "loss": float(step), "learning_rate": 0.1, "gap": 0.5}
        progress.train(step * 4, 400, 0, 1, values)
    progress.close()


def curve(run):
    events = EventAccumulator(run.file("logs"))
    events.Reload()
    return [event.step for event in events.Tensors("label_loss")]


@pytest.mark.parametrize(("after", "kept"), [(20, [10, 20]), (-1, [])])
def test_the_curve_of_a_run_that_goes_on_does_not_double_back(run, after, kept):
    log(run, [10, 20, 30], goes_on_after=-1)
    assert curve(run) == [10, 20, 30]
    log(run, [21, 35], goes_on_after=after)
    assert curve(run) == [*kept, 21, 35]
    log(run, [36], goes_on_after=35)
    assert curve(run) == [*kept, 21, 35, 36]


def test_a_run_that_began_without_a_mark_goes_on_as_well(run):
    log(run, [10, 20, 30])
    log(run, [21], goes_on_after=20)
    assert curve(run) == [10, 20, 21]


def test_a_worker_that_is_not_the_chief_writes_nothing(run):
    worker = Progress(run, active=False, every_seconds=1e9)
    worker.goes_on_after(7)
    worker.close()
    assert not os.path.exists(run.file("logs"))


def test_a_line_says_that_its_gap_is_that_of_a_training_batch(run, capsys):
    log(run, [10])
    assert "loss 10  train GAP 0.500  lr 0.1" in capsys.readouterr().out
