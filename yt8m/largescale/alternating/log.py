"""The log of an alternation: one line per iteration in `metrics.jsonl` and on the screen."""

from __future__ import annotations

import time
from typing import Any

from yt8m.largescale.alternating.plan import Step
from yt8m.runs.folder import RunFolder
from yt8m.runs.progress import duration

_METRICS = ("gap", "map", "perr", "hit_at_1", "hit_at_5", "loss", "num_examples")


class Log:
    """Writes the events from which figures are drawn, and prints progress lines.

    Args:
      run: the run's folder.
    """

    def __init__(self, run: RunFolder):
        self._run = run

    def begin(self, step: Step) -> None:
        """Log that a step begins, or continues in a new process."""
        self.event("step_begin", **_identity(step))

    def iteration(
        self, step: Step, iteration: int, result: dict[str, Any], elapsed: float, **more: Any
    ) -> None:
        """Log a validation within a step.

        Args:
          step: the step.
          iteration: how many of its epochs or iterations are done; 0 is its start.
          result: the metrics.
          elapsed: seconds that the step took, in all processes so far.
          **more: further numbers.
        """
        self.event(
            "iteration",
            **_identity(step),
            iteration=iteration,
            elapsed=round(elapsed, 3),
            **_metrics(result),
            **more,
        )
        extra = "".join(f"  {k} {v:.4g}" for k, v in more.items() if isinstance(v, float))
        self.say(
            f"{step.name} iteration {iteration}: GAP {result['gap']:.4f}  MAP {result['map']:.4f}"
            f"  loss {result['loss']:.4g}{extra}  ({duration(elapsed)})"
        )

    def end(self, step: Step, result: dict[str, Any], elapsed: float, best: bool) -> None:
        """Log that a step has passed on a model with these metrics."""
        self.event("step_end", **_identity(step), elapsed=round(elapsed, 3), **_metrics(result))
        self.say(
            f"{step.name} done: GAP {result['gap']:.4f}  MAP {result['map']:.4f}"
            f"  in {duration(elapsed)}" + ("  best so far" if best else "")
        )

    def event(self, event: str, **values: Any) -> None:
        """Log an event with the time."""
        self._run.log(event, time=time.time(), **values)

    def say(self, text: str) -> None:
        """Print a line at once."""
        print(text, flush=True)


def _identity(step: Step) -> dict[str, Any]:
    return {"name": step.name, "number": step.number, "cycle": step.cycle}


def _metrics(result: dict[str, Any]) -> dict[str, Any]:
    return {k: result[k] for k in _METRICS if k in result}
