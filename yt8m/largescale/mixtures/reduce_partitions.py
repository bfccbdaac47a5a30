"""The reduce of step 2: weights of all partitions, from their files, into the head of one model."""

from __future__ import annotations

from typing import Any

import numpy as np

from yt8m.largescale.mixtures.blocks_file import read_arrays, read_header
from yt8m.largescale.tasks.shared_folder import not_shared
from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts


def newest(path: str) -> str:
    """Return the file of a partition that holds its latest weights: the finished one's, or its checkpoint's.

    Raises:
      UserError: there is neither.
    """
    for candidate in (path, path + ".checkpoint"):
        if read_header(candidate) is not None:
            return candidate
    raise not_shared(f"The weights of a partition, {path}, are not there")


def fill_head(head: GroupedMixtureOfExperts, paths: list[str]) -> None:
    """Give a built head the weights that partitions were saved with, class by class.

    Args:
      head: its groups hold each class with as many experts as it was trained with.
      paths: of `train_partition`, one for each partition that has classes.

    Raises:
      UserError: a file is not there.
      ValueError: a class was not trained, or twice, or with another number of experts.
    """
    names = ["gates", "experts"] + ["bias"] * head.expert_bias
    values: list[dict[str, np.ndarray]] = [
        {n: np.array(getattr(m, n)) for n in names} for m in head.mixtures
    ]
    place: dict[int, tuple[int, int]] = {
        c: (g, i) for g, group in enumerate(head.groups) for i, c in enumerate(group["classes"])
    }
    filled: list[int] = []
    for path in paths:
        source = newest(path)
        header, arrays = read_arrays(source)
        moments = 2 * len(names) if source.endswith(".checkpoint") else 0
        for block in header["blocks"]:
            found = dict(zip(names, (next(arrays) for _ in names)))
            for _ in range(moments):
                next(arrays)
            for i, c in enumerate(block["classes"]):
                group, at = place[c]
                mixture = head.mixtures[group]
                if mixture.num_mixtures != block["k"]:
                    raise ValueError(
                        f"class {c} was trained with {block['k']} experts, and the head has {mixture.num_mixtures}"
                    )
                for name in names:
                    axis = _class_axis(name, mixture.class_major)
                    _at(values[group][name], axis, at)[...] = _at(found[name], axis, i)
            filled += block["classes"]
    if sorted(filled) != sorted(place):
        raise ValueError(
            f"{len(filled)} classes were trained where the head has {len(place)}, or some of them twice"
        )
    for mixture, arrays_of in zip(head.mixtures, values):
        for name in names:
            getattr(mixture, name).assign(arrays_of[name])


def _class_axis(name: str, class_major: bool) -> int:
    """Return where the classes are: kernels are [D, c, states] or [D, states, c], biases [c, k] or [k, c]."""
    return {"bias": 0 if class_major else 1}.get(name, 1 if class_major else 2)


def _at(array: np.ndarray, axis: int, index: int) -> Any:
    return array[(slice(None),) * axis + (index,)]
