"""The results of a run of the benchmarks in one JSON file, written after every measurement.

The file is written without `yt8m.files`, which imports TensorFlow 2. That sets TF2_BEHAVIOR for
child processes, and the starter code, which needs TensorFlow 1, would then refuse to start.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a file, and its folder if necessary; a killed process leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    os.replace(part, path)


class Store:
    """Measurements by benchmark; those of one benchmark come from one context.

    Args:
      path: the JSON file; it may not exist yet.
    """

    def __init__(self, path: Path):
        self.path = path
        self.content: dict[str, Any] = {}
        if path.exists():
            self.content = json.loads(path.read_text())

    def open(self, benchmark: str, context: dict[str, Any]) -> bool:
        """Begin or resume a benchmark; drop its measurements from another context.

        Returns:
          Whether measurements were dropped.
        """
        old = self.content.get(benchmark)
        if old is not None and old["context"] == context:
            return False
        self.content[benchmark] = {"context": context, "measurements": []}
        return bool(old and old["measurements"])

    def has(self, benchmark: str, contender: str, number: int) -> bool:
        """Return whether a contender has been measured in a round."""
        return contender in self.rounds(benchmark).get(number, {})

    def add(self, benchmark: str, contender: str, number: int, values: dict[str, float]) -> None:
        """Store the values of a contender in a round, and write the file."""
        rounded = {name: float(f"{value:.5g}") for name, value in values.items()}
        entry = {
            "contender": contender,
            "round": number,
            "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
            "values": rounded,
        }
        self.content[benchmark]["measurements"].append(entry)
        self.save()

    def set_profile(self, benchmark: str, name: str, operations: list[Any]) -> None:
        """Store where a step's time goes, and write the file."""
        self.content[benchmark].setdefault("profile", {})[name] = operations
        self.save()

    def rounds(self, benchmark: str) -> dict[int, dict[str, dict[str, float]]]:
        """Return the values of a benchmark: round -> contender -> metric -> value."""
        found: dict[int, dict[str, dict[str, float]]] = {}
        for entry in self.content.get(benchmark, {}).get("measurements", ()):
            found.setdefault(entry["round"], {})[entry["contender"]] = entry["values"]
        return found

    def save(self) -> None:
        """Write the file."""
        write_text(self.path, json.dumps(self.content, indent=1) + "\n")
