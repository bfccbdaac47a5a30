"""The reduction of step 2: the weights of all partitions become the head of one model."""

from __future__ import annotations

import numpy as np

from yt8m.largescale.mixtures.blocks_file import read_header
from yt8m.largescale.mixtures.mixture_block import NAMES
from yt8m.largescale.mixtures.partition_training import CHECKPOINT
from yt8m.largescale.mixtures.scatter_blocks import check_filled, scatter_blocks
from yt8m.largescale.tasks.shared_folder import not_shared
from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts


def newest(path: str) -> str:
    """Return the file with a partition's latest weights: the finished one, or its checkpoint.

    Raises:
      UserError: there is neither.
    """
    for candidate in (path, path + CHECKPOINT):
        if read_header(candidate) is not None:
            return candidate
    raise not_shared(f"The weights of a partition, {path}, are not there")


def fill_head(head: GroupedMixtureOfExperts, paths: list[str]) -> None:
    """Assign the saved weights of partitions to a built head.

    Args:
      head: its groups hold each class with as many experts as it was trained with.
      paths: the path given to `train_partition`, for each partition that has classes.

    Raises:
      UserError: a file is missing.
      ValueError: a class was not trained, or twice, or with another number of experts.
    """
    arrays = [{name: np.array(getattr(m, name)) for name in NAMES} for m in head.mixtures]
    copied = [c for path in paths for c in scatter_blocks(newest(path), head.groups, arrays)]
    check_filled(copied, head.groups)
    for mixture, values in zip(head.mixtures, arrays):
        for name in NAMES:
            getattr(mixture, name).assign(values[name])
