"""The state of a step with several iterations: its GAPs and arrays in one file."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.files import write_bytes
from yt8m.runs.folder import RunFolder
from yt8m.stored import exists, intact, read_arrays

STATE = "state.npz"  # its file in the folder of a step


class StepState:
    """The state that resumes a step; the complete file is written after each iteration.

    Args:
      run: the run's folder.
      name: the name of the file, relative to the run's folder.

    Attributes:
      gaps: the validation GAP at the start and after each iteration since.
      elapsed: seconds that the step took.
      arrays: weights and an optimiser's state, by name.
    """

    def __init__(self, run: RunFolder, name: str):
        self._path = run.file(name)
        self.gaps: list[float] = []
        self.elapsed = 0.0
        self.arrays: dict[str, np.ndarray] = {}
        if exists(self._path):
            with intact(self._path, "delete it: the same command takes the step from its start."):
                self.arrays = read_arrays(self._path)
                about: dict[str, Any] = json.loads(str(self.arrays.pop("about")))
                self.gaps = [float(gap) for gap in about["gaps"]]
                self.elapsed = float(about["elapsed"])

    @property
    def iterations(self) -> int:
        """The number of iterations done; -1 before the start was evaluated."""
        return len(self.gaps) - 1

    def record(self, gap: float, elapsed: float, arrays: dict[str, np.ndarray]) -> None:
        """Add the GAP of the start or of an iteration, and write the file."""
        self.gaps, self.elapsed, self.arrays = [*self.gaps, float(gap)], elapsed, arrays
        about = json.dumps({"gaps": self.gaps, "elapsed": elapsed})
        buffer = io.BytesIO()
        contents: dict[str, Any] = {"about": np.asarray(about), **arrays}
        np.savez(buffer, **contents)
        tf.io.gfile.makedirs(self._path.rpartition("/")[0])
        write_bytes(self._path, buffer.getvalue())
