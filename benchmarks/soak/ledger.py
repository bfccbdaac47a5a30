"""The results: a line of JSON for each reference and each cycle, written as they come."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any


class Ledger:
    """The lines of `results.jsonl`, those of an earlier call included.

    Args:
      path: the JSON lines; the file may not exist yet.
    """

    def __init__(self, path: str):
        self._path = path
        self.lines: list[dict[str, Any]] = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as text:
                # A line that a killed process left incomplete is not there.
                self.lines = [json.loads(line) for line in text if line.endswith("\n")]

    def add(self, **values: Any) -> dict[str, Any]:
        """Write a line."""
        self.lines.append(values)
        with open(self._path, "a", encoding="utf-8") as out:
            out.write(json.dumps(values) + "\n")
        return values

    def reference(self, job: str) -> dict[str, Any] | None:
        """Return what an undisturbed run of a job has written, or None."""
        return next((e for e in self.lines if e["kind"] == "reference" and e["job"] == job), None)

    def cycles(self, job: str = "") -> list[dict[str, Any]]:
        """Return the cycles of a job, or of all."""
        return [e for e in self.lines if e["kind"] == "cycle" and job in ("", e["job"])]

    def kills(self) -> int:
        """Return how many kills there were."""
        return sum(len(cycle["kills"]) for cycle in self.cycles())

    def failures(self) -> list[dict[str, Any]]:
        """Return the cycles that did not end like the undisturbed run."""
        return [cycle for cycle in self.cycles() if cycle["differences"]]

    def table(self, jobs: Iterable[str]) -> str:
        """Return a table of the jobs, and a line for each difference."""
        rows = [("job", "cycles", "kills", "at a call", "differences")]
        for job in (*jobs, ""):
            own = self.cycles(job)
            kills = [kill for cycle in own for kill in cycle["kills"]]
            at_call = sum("call" in kill for kill in kills)
            bad = sum(bool(cycle["differences"]) for cycle in own)
            rows.append((job or "all", *map(str, (len(own), len(kills), at_call, bad))))
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [
            "  ".join(
                value.ljust(w) if i == 0 else value.rjust(w)
                for i, (value, w) in enumerate(zip(row, widths))
            )
            for row in rows
        ]
        for cycle in self.failures():
            lines.append(f"{cycle['job']}, seed {cycle['seed']}: {'; '.join(cycle['differences'])}")
        return "\n".join(lines)
