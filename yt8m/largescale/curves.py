"""The curves of the KDD paper's figures, read from the logs of alternating runs."""

from __future__ import annotations

import dataclasses
from typing import Any

from yt8m.errors import UserError
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Point:
    """A validation.

    Attributes:
      name: the name of its step.
      number: the number of its step, 1 to 3.
      iteration: the iteration within the step.
      seconds: seconds of work since the run began, without validation.
      gap: the GAP.
      map: the MAP.
    """

    name: str
    number: int
    iteration: int
    seconds: float
    gap: float
    map: float


@dataclasses.dataclass(frozen=True)
class Curve:
    """An alternating run.

    Attributes:
      path: the run's folder.
      config: its settings.
      points: its validations in order, each iteration once, as it was last done.
    """

    path: str
    config: RunConfig
    points: tuple[Point, ...]

    def boundaries(self) -> list[tuple[int, str]]:
        """Return (index of the first point, name) of each step."""
        names = [p.name for p in self.points]
        return [(i, name) for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    def of_step(self, number: int) -> list[tuple[int, float, float]]:
        """Return (iteration, seconds in the step, GAP) of each point of a step.

        Args:
          number: 1 to 3; the first step of this number is used.

        Returns:
          The points; none if the run has no such step.
        """
        numbers = [p.number for p in self.points]
        if number not in numbers:
            return []
        first = numbers.index(number)
        start = self.points[first - 1].seconds if first else 0.0
        step = [p for p in self.points if p.name == self.points[first].name]
        return [(p.iteration, p.seconds - start, p.gap) for p in step]


def read_curve(train_dir: str) -> Curve:
    """Return the curve of a run, finished or not.

    Raises:
      UserError: there is no run, it is not an alternating one, or it has not been validated yet.
    """
    run = RunFolder(train_dir)
    config = run.load_config()
    if config.alternation is None:
        raise UserError(
            f"--train_dir={train_dir} was not trained with --trainer=alternating, whose iterations"
            " the figures show."
        )
    latest: dict[tuple[str, int], dict[str, Any]] = {}  # an iteration may be repeated
    for event in run.logged():
        if event["event"] == "iteration":
            latest[event["name"], event["iteration"]] = event
    if not latest:
        raise UserError(f"--train_dir={train_dir} has logged no iteration yet.")
    points: list[Point] = []
    seconds_before, seconds_in_step, name = 0.0, 0.0, ""
    for event in sorted(latest.values(), key=lambda e: (e["cycle"], e["number"], e["iteration"])):
        if event["name"] != name:
            seconds_before, name = seconds_before + seconds_in_step, event["name"]
        seconds_in_step = float(event["elapsed"])
        points.append(
            Point(
                name,
                int(event["number"]),
                int(event["iteration"]),
                seconds_before + seconds_in_step,
                float(event["gap"]),
                float(event["map"]),
            )
        )
    return Curve(train_dir, config, tuple(points))
