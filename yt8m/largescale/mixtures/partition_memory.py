"""How much memory a process takes that trains a partition of the classes, before it starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

_PROCESS_BYTES = 4 * 10**8  # Python with TensorFlow
_STEP_BYTES = 4 * 10**8  # the tensors of a step, whose blocks are cut to one size, and batches
_WEIGHT_BYTES = 12  # a weight and Adam's two moments


@dataclasses.dataclass(frozen=True)
class PartitionMemory:
    """The parts of a process's memory while it trains a partition, in bytes.

    Attributes:
      process: what the process takes without a partition.
      step: the tensors of a step, and batches.
      window: a window of features, which other processes of the node may map as well.
      weights: the weights and their moments.
    """

    process: int
    step: int
    window: int
    weights: int

    @property
    def own(self) -> int:
        """What each process of a node needs."""
        return self.process + self.growth

    @property
    def growth(self) -> int:
        """What a process needs in addition that has TensorFlow already."""
        return self.step + self.window + self.weights


def predict(
    partitions: Sequence[Sequence[int]], experts: np.ndarray, width: int, window_bytes: int
) -> PartitionMemory:
    """Return the memory for the largest of some partitions.

    Args:
      partitions: the classes of each.
      experts: the number of experts of each class, [K].
      width: D.
      window_bytes: bytes of a window of features.
    """
    # A class of k experts has k kernels and biases, and k + 1 kernels of gates.
    weights = width * (2 * experts + 1) + experts
    largest = max((int(weights[list(classes)].sum()) for classes in partitions), default=0)
    return PartitionMemory(_PROCESS_BYTES, _STEP_BYTES, window_bytes, _WEIGHT_BYTES * largest)
