"""Figures by name, in a JSON file that is written after each one, so that a command resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

from benchmarks.harness.store import write_text


class Results:
    """Figures by name, in a file that is written after each.

    Args:
      path: the JSON file; it may not exist yet.
    """

    def __init__(self, path: Path):
        self._path = path
        self._found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return a figure, which is measured unless it is there, and print it."""
        if name not in self._found:
            self._found[name] = measure()
            write_text(self._path, json.dumps(self._found, indent=1) + "\n")
        print(f"{name}: {json.dumps(self._found[name])}", flush=True)
        return self._found[name]
