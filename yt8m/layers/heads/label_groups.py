"""How UTS' parallel mixture splits the labels into groups."""

from __future__ import annotations

import numpy as np


def label_groups(
    num_labels: int, group_size: int, split: str = "ordered", seed: int = 0
) -> list[list[int]]:
    """Return disjoint groups of the labels [0, `num_labels`), of `group_size` each but the last (spec C.2).

    Args:
      num_labels: how many.
      group_size: labels a group.
      split: "ordered" is windows in label order; "random" draws them without replacement.
      seed: of the random split.

    Raises:
      ValueError: another split, or a size below 1.
    """
    if split not in ("ordered", "random"):
        raise ValueError(f'split is "ordered" or "random", not {split!r}')
    if num_labels < 1 or group_size < 1:
        raise ValueError(
            f"a group holds at least one label: num_labels={num_labels}, group_size={group_size}"
        )
    labels = np.arange(num_labels)
    if split == "random":
        labels = np.random.Generator(np.random.PCG64(seed)).permutation(num_labels)
    return [sorted(labels[i : i + group_size].tolist()) for i in range(0, num_labels, group_size)]
