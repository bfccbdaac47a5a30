"""Progress of a run: printed lines, metrics.jsonl for programs, and TensorBoard for plots."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Literal

import tensorflow as tf

from yt8m.runs.folder import RunFolder
from yt8m.runs.stop_signal import Stopped

# The starter code's TensorBoard tags, so that old dashboards go on working.
_TAGS = {
    "train": {
        "gap": "model/Training_GAP",
        "hit_at_1": "model/Training_Hit@1",
        "perr": "model/Training_Perr",
        "examples_per_second": "global_step/Examples/Second",
        "learning_rate": "learning_rate",
        "loss": "label_loss",
        "regularization": "reg_loss",
    },
    "validation": {
        "gap": "Epoch/Eval_GAP",
        "map": "Epoch/Eval_MAP",
        "perr": "Epoch/Eval_Avg_Perr",
        "hit_at_1": "Epoch/Eval_Avg_Hit@1",
        "hit_at_5": "Epoch/Eval_Avg_Hit@5",
        "loss": "Epoch/Eval_Avg_Loss",
    },
}
Unit = Literal["videos", "segments"]
# What a validation's line shows; a reconstruction has none of them.
_SHOWN = {"GAP": "gap", "MAP": "map", "Hit@1": "hit_at_1", "PERR": "perr"}


def duration(seconds: float) -> str:
    """Return seconds as `1h02m`, `2m03s` or `4s`."""
    seconds = round(seconds)
    if seconds >= 3600:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
    return f"{seconds // 60}m{seconds % 60:02d}s" if seconds >= 60 else f"{seconds}s"


class Progress:
    """Prints and logs the progress of a run.

    Args:
      run: the run's folder.
      active: False for a worker that is not the chief, which prints and logs nothing.
      every_seconds: how often a line of the training is due.
      what: the name of the examples, "videos" or "segments".
    """

    def __init__(self, run: RunFolder, active: bool, every_seconds: float, what: Unit = "videos"):
        self._run, self._active, self._every, self._what = run, active, every_seconds, what
        self._opened: tf.summary.SummaryWriter | None = None
        self._last = time.monotonic()
        self._last_examples = 0

    def start(self, examples: int) -> None:
        """Begin to measure the speed, after `examples` examples of the run."""
        self._last, self._last_examples = time.monotonic(), examples

    def goes_on_after(self, step: int) -> None:
        """Let TensorBoard forget what a killed process has logged after `step`, which comes again.

        Call it before anything is logged. Without it, the curves of a run that was resumed, or that
        starts over, double back.

        Args:
          step: the last one of the run so far; -1 if it starts at 0.
        """
        if not self._active:
            return
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        # TensorBoard reads the files in the order of their names, which begin with the time. So
        # this one comes after all earlier ones, and before the one that is opened next.
        logs = self._run.file("logs")
        with tf.Graph().as_default(), tf.compat.v1.summary.FileWriter(logs) as writer:
            # TensorBoard ignores a run's first start, and older runs have none.
            writer.add_session_log(start, step + 1)
            writer.add_session_log(start, step + 1)

    def due(self) -> bool:
        """Return whether it is time to print a progress line."""
        return time.monotonic() - self._last >= self._every

    def train(
        self, examples: int, total: int, epoch: int, epochs: int, values: dict[str, Any]
    ) -> None:
        """Print and log the state of the training.

        Args:
          examples: done in this run.
          total: examples of the whole run.
          epoch: counted from 0.
          epochs: epochs of the whole run.
          values: by name, with `step`, `loss` and `learning_rate`.
        """
        now = time.monotonic()
        speed = (examples - self._last_examples) / max(now - self._last, 1e-9)
        self.start(examples)
        self._log("train", {**values, "examples": examples, "examples_per_second": speed})
        left = duration((total - examples) / speed) if speed > 0 and total > examples else "0s"
        # Of the last batch only, unlike the GAP of a validation.
        gap = f"  train GAP {values['gap']:.3f}" if "gap" in values else ""
        self.say(
            f"epoch {epoch + 1}/{epochs}  step {values['step']:,}  loss {values['loss']:.4g}{gap}"
            f"  lr {values['learning_rate']:.2g}  {speed:,.0f} examples/s  ETA {left}"
        )

    def validation(self, values: dict[str, Any], best: bool) -> None:
        """Print and log the result of a validation, and whether it is the best so far."""
        self._log("validation", values)
        shown = [f"{name} {values[key]:.4f}  " for name, key in _SHOWN.items() if key in values]
        within = f"step {values['step']:,}, within" if values.get("within_epoch") else "after"
        part = (
            f" of {values['shards']} of {values['of_shards']} shards" if "shards" in values else ""
        )
        self.say(
            f"validation {within} epoch {values['epoch']}: {''.join(shown)}loss"
            f" {values['loss']:.4g}  ({values['num_examples']:,} {self._what}{part} in"
            f" {duration(values['seconds'])})" + ("  best so far" if best else "")
        )

    def event(self, name: str, **values: Any) -> None:
        """Log something that happens once, such as "started", "resumed" or "stopped"."""
        if self._active:
            self._run.log(name, time=time.time(), **values)

    @contextlib.contextmanager
    def ended(self) -> Iterator[None]:
        """Log "ended" and the seconds in the context, if it ends normally or by a signal."""
        started = time.monotonic()
        stopped: Stopped | None = None
        try:
            yield
        except Stopped as error:
            stopped = error
        self.event("ended", seconds=round(time.monotonic() - started, 1))
        if stopped is not None:
            raise stopped

    def say(self, text: str) -> None:
        """Print a line at once."""
        if self._active:
            print(text, flush=True)

    def close(self) -> None:
        """Write out what TensorBoard has not received yet."""
        if self._opened is not None:
            self._opened.close()
        sys.stdout.flush()

    def _log(self, event: str, values: dict[str, Any]) -> None:
        if not self._active:
            return
        self._run.log(event, time=time.time(), **values)
        if self._opened is None:
            self._opened = tf.summary.create_file_writer(self._run.file("logs"))
        with self._opened.as_default(step=int(values["step"])):
            for key, tag in _TAGS[event].items():
                if key in values:
                    tf.summary.scalar(tag, values[key])
        self._opened.flush()
