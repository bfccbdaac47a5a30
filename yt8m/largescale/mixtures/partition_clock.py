"""Timing of a partition's reports and checkpoints, with its speed and mean loss."""

from __future__ import annotations

import time
from typing import Any


class PartitionClock:
    """Times, and means of the loss: since the last report, and over the last epoch.

    Args:
      state: what `state` returned when the partition was saved.
      save_seconds: seconds between two checkpoints; 0 is never.
      report_seconds: seconds between two reports.
    """

    def __init__(self, state: dict[str, Any], save_seconds: float, report_seconds: float):
        self._save_seconds, self._report_seconds = save_seconds, report_seconds
        self._began = self._reported = self._saved = time.monotonic()
        self._seconds_before, self._last_step = float(state["seconds"]), int(state["step"])
        self._sum, self._count = float(state["loss_sum"]), int(state["loss_steps"])

    def report_due(self) -> bool:
        """Whether it is time for a report."""
        return time.monotonic() - self._reported >= self._report_seconds

    def save_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return bool(self._save_seconds) and time.monotonic() - self._saved >= self._save_seconds

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self._saved = time.monotonic()

    def add(
        self, step: int, loss: float, epoch_steps: int, batch_size: int
    ) -> tuple[float | None, float]:
        """Add the losses of the steps since the last call.

        Args:
          step: the number of steps done.
          loss: the sum of the steps' losses.
          epoch_steps: steps of an epoch; about so many enter the mean of `result`.
          batch_size: examples of a step.

        Returns:
          The mean loss of a step and the examples per second; (None, 0) if there was no step.
        """
        now, done = time.monotonic(), step - self._last_step
        if done <= 0:
            return None, 0.0
        keep = 1.0
        if self._count > epoch_steps - done:  # the mean covers about an epoch
            keep = max(0, epoch_steps - done) / max(1, self._count)
        self._sum, self._count = self._sum * keep + loss, int(self._count * keep) + done
        speed = done * batch_size / max(now - self._reported, 1e-9)
        self._reported, self._last_step = now, step
        return loss / done, speed

    def state(self, step: int) -> dict[str, Any]:
        """Return everything that resumes this clock after `step` steps, ready for JSON."""
        return {
            "step": step,
            "seconds": round(self._seconds(), 3),
            "loss_sum": self._sum,
            "loss_steps": self._count,
        }

    def result(self, batch_size: int) -> dict[str, Any]:
        """Return the mean loss of about the last epoch, the seconds, and the examples/s."""
        seconds = self._seconds()
        return {
            "loss": self._sum / max(1, self._count),
            "seconds": round(seconds, 3),
            "examples_per_second": round(self._last_step * batch_size / max(seconds, 1e-9), 1),
        }

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began
