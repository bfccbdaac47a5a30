"""Copying of the classes of a blocks file to their positions in a head with another order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yt8m.largescale.mixtures.blocks_file import read_arrays
from yt8m.largescale.mixtures.mixture_block import NAMES, class_axis
from yt8m.largescale.mixtures.partition_training import CHECKPOINT
from yt8m.layers.heads.mixture_math import STATES_FASTEST_FROM


def scatter_blocks(
    file: str, groups: Sequence[Mapping[str, Any]], arrays: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Copy the weights of a partition into the arrays of a head's groups.

    Args:
      file: a file of weights, or a checkpoint, of which the moments are not read.
      groups: the head's groups, {"classes": [...], "num_mixtures": k} each.
      arrays: for each group, its "gates", "experts" and "bias": NumPy arrays or
        HDF5 data sets, laid out as in `MixtureOfExperts`.

    Returns:
      The classes that were copied.

    Raises:
      ValueError: a class was trained with another number of experts than its group has.
    """
    place = {
        c: (g, column)
        for g, group in enumerate(groups)
        for column, c in enumerate(group["classes"])
    }
    # In a checkpoint, each block's weights are followed by Adam's two moments of each.
    a_block = len(NAMES) * (3 if file.endswith(CHECKPOINT) else 1)
    header, values = read_arrays(file, lambda number: number % a_block < len(NAMES))
    copied: list[int] = []
    for block in header["blocks"]:
        k, places = block["k"], [place[c] for c in block["classes"]]
        for g, _ in places:
            if groups[g]["num_mixtures"] != k:
                raise ValueError(
                    f"class {block['classes'][0]} was trained with {k} experts, but the head has"
                    f" {groups[g]['num_mixtures']}"
                )
        for name in NAMES:
            value = next(values)
            before = (slice(None),) * class_axis(name, k >= STATES_FASTEST_FROM)
            for g, source, target in _runs(places):
                arrays[g][name][(*before, target)] = value[(*before, source)]
        copied += block["classes"]
    return copied


def _runs(places: list[tuple[int, int]]) -> Iterator[tuple[int, slice, slice]]:
    """Yield (group, source, target) of neighbours, since HDF5 data sets are written in slices."""
    start = 0
    for end in range(1, len(places) + 1):
        group, column = places[end - 1]
        if end == len(places) or places[end] != (group, column + 1):
            yield group, slice(start, end), slice(column + 1 - (end - start), column + 1)
            start = end


def check_filled(copied: Sequence[int], groups: Sequence[Mapping[str, Any]]) -> None:
    """Raise an error unless every class of the groups was copied exactly once.

    Raises:
      ValueError: a class is missing, or was copied twice.
    """
    expected = sorted(c for group in groups for c in group["classes"])
    if sorted(copied) != expected:
        raise ValueError(
            f"{len(copied)} classes were trained for a head with {len(expected)}, or some were"
            " trained twice"
        )
