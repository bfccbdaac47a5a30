"""Where a step of several iterations is: its GAPs and arrays in one file, written whole after each iteration."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.runs.folder import RunFolder


class StepState:
    """GAPs of the start and of each iteration since, seconds worked, and arrays by name (weights, an optimiser's state).

    Args:
      run: the run.
      name: of the file, relative to the run's folder.
    """

    def __init__(self, run: RunFolder, name: str):
        self._path = run.file(name)
        self.gaps: list[float] = []
        self.elapsed = 0.0
        self.arrays: dict[str, np.ndarray] = {}
        if tf.io.gfile.exists(self._path):
            with tf.io.gfile.GFile(self._path, "rb") as f:
                with np.load(io.BytesIO(f.read())) as found:
                    self.arrays = {k: found[k] for k in found.files}
            about: dict[str, Any] = json.loads(str(self.arrays.pop("about")))
            self.gaps, self.elapsed = about["gaps"], about["elapsed"]

    @property
    def iterations(self) -> int:
        """Iterations done; -1 before the start was evaluated."""
        return len(self.gaps) - 1

    def save(self, gaps: list[float], elapsed: float, arrays: dict[str, np.ndarray]) -> None:
        """Write the file whole."""
        self.gaps, self.elapsed, self.arrays = gaps, elapsed, arrays
        buffer = io.BytesIO()
        np.savez(buffer, about=np.asarray(json.dumps({"gaps": gaps, "elapsed": elapsed})), **arrays)
        tf.io.gfile.makedirs(self._path.rpartition("/")[0])
        with tf.io.gfile.GFile(self._path + ".tmp", "wb") as f:
            f.write(buffer.getvalue())
        tf.io.gfile.rename(self._path + ".tmp", self._path, overwrite=True)
