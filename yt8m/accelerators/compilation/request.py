"""What one compilation is asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from yt8m.accelerators.sizes import Sizes
from yt8m.runs.settings.training import Dtype

# What a request asked for, and what became of it (see `compile_one`), with the `source_hash`, the
# `date` and the `versions`.
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Request:
    """One program for one kind of accelerator.

    Attributes:
      model: the model's registered name.
      program: the program's name.
      dtype: the type of the computation.
      topology: a slice of TPUs, such as "v5e:2x2".
      batch_size: videos of a step, over all replicas.
      replicas: chips that share the step.
    """

    model: str
    program: str
    dtype: Dtype
    topology: str
    batch_size: int
    replicas: int = 1

    def sizes(self) -> Sizes:
        """Return the sizes of the program, which are full except for the batch."""
        return Sizes(self.batch_size, dtype=self.dtype, replicas=self.replicas)

    def halved(self) -> Request | None:
        """Return the same with half the batch, or None if that is no batch."""
        half = self.batch_size // 2
        return dataclasses.replace(self, batch_size=half) if half >= self.replicas else None

    def __str__(self) -> str:
        shared = f", {self.replicas} replicas" if self.replicas > 1 else ""
        return f"{self.model} {self.program}, {self.dtype}, batch {self.batch_size}{shared}"


def request_of(row: Row) -> Request:
    """Return the request of a row."""
    return Request(**{field.name: row[field.name] for field in dataclasses.fields(Request)})
