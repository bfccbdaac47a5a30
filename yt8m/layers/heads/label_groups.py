"""The groups into which UTS' parallel mixture splits the labels."""

from __future__ import annotations

from typing import Literal

import numpy as np

from yt8m.errors import one_of

Split = Literal["ordered", "random"]


def label_groups(
    num_labels: int, group_size: int, split: Split = "ordered", seed: int = 0
) -> list[list[int]]:
    """Return disjoint groups of the labels [0, `num_labels`), all except the last of `group_size`.

    Source: docs/sources.md#label-groups.

    Args:
      num_labels: number of labels.
      group_size: labels in each group.
      split: "ordered" makes windows in label order; "random" draws labels without replacement.
      seed: seed of the random split.

    Raises:
      ValueError: the split is unknown, or a number is below 1.
    """
    one_of("split", split, Split)
    if num_labels < 1 or group_size < 1:
        raise ValueError(
            "num_labels and group_size must be 1 or more,"
            f" not num_labels={num_labels}, group_size={group_size}"
        )
    labels = np.arange(num_labels)
    if split == "random":
        labels = np.random.Generator(np.random.PCG64(seed)).permutation(num_labels)
    return [sorted(labels[i : i + group_size].tolist()) for i in range(0, num_labels, group_size)]
