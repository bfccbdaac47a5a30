"""What the KDD paper's figures show, out of the logs of alternating runs: GAP and MAP by iteration and by time."""

from __future__ import annotations

import dataclasses
from typing import Any

from yt8m.errors import UserError
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Point:
    """A validation: its step, the iteration within it, seconds worked since the run began, and the metrics."""

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
      path: its folder.
      config: its settings.
      points: in order, each iteration once, as it was done last.
    """

    path: str
    config: RunConfig
    points: tuple[Point, ...]

    def boundaries(self) -> list[tuple[int, str]]:
        """Return (index of the first point, name) of each step."""
        names = [p.name for p in self.points]
        return [(i, name) for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    def of_step(self, number: int) -> list[tuple[int, float, float]]:
        """Return (iteration, seconds in the step, GAP) of the first step of this number; empty where there is none."""
        first = next((p.name for p in self.points if p.number == number), "")
        mine = [p for p in self.points if p.name == first]
        start = (
            next((p.seconds for p in reversed(self.points[: self.points.index(mine[0])])), 0.0)
            if mine
            else 0.0
        )
        return [(p.iteration, p.seconds - start, p.gap) for p in mine]


def read_curve(train_dir: str) -> Curve:
    """Return the curve of a run, finished or not.

    Raises:
      UserError: there is no run, it is not an alternating one, or it has not been validated yet.
    """
    run = RunFolder(train_dir)
    config = run.load_config()
    if config.alternation is None:
        raise UserError(
            f"--train_dir={train_dir} was not trained by --trainer=alternating, whose iterations the figures show."
        )
    latest: dict[tuple[str, int], dict[str, Any]] = {}
    for event in run.logged():
        if event["event"] == "iteration":
            key = (event["name"], event["iteration"])
            latest.pop(
                key, None
            )  # what a killed driver had done is done again, and goes to its new place
            latest[key] = event
    if not latest:
        raise UserError(f"--train_dir={train_dir} has logged no iteration yet.")
    points: list[Point] = []
    before, of_step, name = 0.0, 0.0, ""
    for event in sorted(latest.values(), key=lambda e: (e["cycle"], e["number"], e["iteration"])):
        if event["name"] != name:
            before, of_step, name = before + of_step, 0.0, event["name"]
        of_step = float(event["elapsed"])
        points.append(
            Point(
                name,
                int(event["number"]),
                int(event["iteration"]),
                before + of_step,
                float(event["gap"]),
                float(event["map"]),
            )
        )
    return Curve(train_dir, config, tuple(points))
