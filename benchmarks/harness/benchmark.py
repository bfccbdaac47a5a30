"""What a benchmark is: contenders that are measured in turn, and comparisons between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from benchmarks.harness.work import Work

# Metric -> (what the table calls it, whether more is better).
METRICS: dict[str, tuple[str, bool]] = {
    "examples_per_second": ("examples/s in the step", True),
    "videos_per_second": ("videos/s", True),
    "wall_seconds": ("seconds, whole process", False),
    "product_seconds": ("seconds of its matrix products", False),
    "processor_seconds": ("processor seconds, whole process", False),
    "peak_gb": ("peak memory in GB", False),
}


@dataclasses.dataclass(frozen=True)
class Command:
    """A process to run.

    Attributes:
      arguments: the program and its arguments.
      directory: where it runs.
      environment: variables that are set for it; an empty value removes one.
    """

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Contender:
    """One of the programs that a benchmark measures.

    Attributes:
      name: unique in the benchmark.
      label: what the table calls it.
      command: `(work, folder)` to the process; `folder` is empty, and may be written to.
      read: `(output, folder)` to the values that the process printed or wrote, by metric.
      rival: "starter" or "garden" if the program is not ours; it is skipped without its flags.
    """

    name: str
    label: str
    command: Callable[[Work, Path], Command]
    read: Callable[[str, Path], dict[str, float]] = lambda output, folder: {}
    rival: str = ""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A line of the table: a contender beside another one, or beside a goal alone.

    Attributes:
      of: the name of the contender.
      beside: that of the other, or "" to compare with the goal.
      metric: which value is compared.
      goal: the ratio to reach, or the highest value if `beside` is empty; 0 for none. A ratio
        above 1 means that `of` is better, whether its metric is to be high or low.
      beside_metric: the other's metric, if it has another name.
    """

    of: str
    beside: str
    metric: str
    goal: float = 0.0
    beside_metric: str = ""

    @property
    def metrics(self) -> tuple[str, str]:
        """The metrics of the two sides."""
        return self.metric, self.beside_metric or self.metric


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Contenders that are measured in turn.

    Attributes:
      name: for `--only`.
      title: what the table calls the work.
      contenders: in the order of the even rounds.
      comparisons: the lines of the table.
      profile: arguments of `benchmarks.step_speed` that describe the step, for `--profile`.
    """

    name: str
    title: str
    contenders: Sequence[Contender]
    comparisons: Sequence[Comparison]
    profile: Sequence[str] = ()

    def contender(self, name: str) -> Contender:
        """Return the contender of a name."""
        return next(c for c in self.contenders if c.name == name)
