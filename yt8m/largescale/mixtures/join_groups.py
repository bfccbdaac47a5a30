"""One weight file out of partitions, in the memory of one block.

Keras writes a model's weights from memory, and the model of 200 experts a class has 7 GB of them. So Keras
writes the file of a model of the same layers on one feature, whose every array holds one number of its own;
that shows under which name Keras keeps which array, and a file of the same names is filled block by block.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import h5py  # Keras writes `.weights.h5` by it, and requires it
import numpy as np
import tensorflow as tf

from yt8m.largescale.mixtures.blocks_file import read_arrays
from yt8m.layers.heads.mixture_math import STATES_FASTEST_FROM
from yt8m.models.core.base import Yt8mModel

_PARTS = ("gates", "experts", "bias")


def assemble(small: Yt8mModel, files: list[str], width: int, path: str) -> None:
    """Write `path` (`.weights.h5`) whole or not at all.

    Args:
      small: the model with one feature in place of D, built; all its weights are its `head`'s, a
        `GroupedMixtureOfExperts`. Its weights are overwritten.
      files: a blocks file (see `moe_training`) for each group of the head.
      width: D.
      path: of the weights.
    """
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tempfile.TemporaryDirectory() as folder:
        pattern = os.path.join(folder, "pattern.weights.h5")
        names = _mark(small, pattern)
        remote = "://" in path
        local = os.path.join(folder, "model.weights.h5") if remote else path + ".tmp"
        with h5py.File(pattern, "r") as source, h5py.File(local, "w") as out:
            arrays = _copy_structure(source, out, names, width)
            for i, (file, group) in enumerate(zip(files, small.head.groups)):
                _fill({part: arrays[i, part] for part in _PARTS}, file, group)
        if remote:
            tf.io.gfile.copy(local, path + ".tmp", overwrite=True)
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def _mark(small: Yt8mModel, pattern: str) -> list[tuple[int, str]]:
    """Give each array its own number, write the file, and return what each number stands for."""
    names = [(i, part) for i in range(len(small.head.groups)) for part in _PARTS]
    for number, (i, part) in enumerate(names):
        variable = getattr(small.head.mixtures[i], part)
        variable.assign(np.full(variable.shape, number, np.float32))
    if len(names) != len(small.weights):
        raise ValueError(f"{type(small).__name__} has weights outside of its head")
    small.save_weights(pattern)
    return names


def _copy_structure(
    source: Any, out: Any, names: list[tuple[int, str]], width: int
) -> dict[tuple[int, str], Any]:
    """Make in `out` what `source` holds, with D features in place of one; return the new arrays by (group, part)."""
    arrays: dict[tuple[int, str], Any] = {}
    out.attrs.update(source.attrs)

    def copy(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            key = names[round(float(np.ravel(item[()])[0]))]
            shape = item.shape if key[1] == "bias" else (width, *item.shape[1:])
            arrays[key] = out.create_dataset(name, shape, "float32")
        out.require_group(name) if isinstance(item, h5py.Group) else None
        out[name].attrs.update(item.attrs)

    source.visititems(copy)
    if len(arrays) != len(names):
        raise ValueError(f"{len(arrays)} arrays are in a weight file of {len(names)}")
    return arrays


def _fill(arrays: dict[str, Any], file: str, group: dict[str, Any]) -> None:
    """Fill a group's arrays from its blocks, each of which holds some of its classes."""
    column = {c: i for i, c in enumerate(group["classes"])}
    class_major = group["num_mixtures"] >= STATES_FASTEST_FROM
    header, values = read_arrays(file)
    filled = 0
    for block in header["blocks"]:
        columns = [column[c] for c in block["classes"]]
        for part in _PARTS:
            value = next(values)
            for source, target in _runs(columns):
                if class_major:
                    arrays[part][(slice(None),) * (part != "bias") + (target,)] = value[
                        (slice(None),) * (part != "bias") + (source,)
                    ]
                else:
                    arrays[part][..., target] = value[..., source]
        filled += len(columns)
    if filled != len(column):
        raise ValueError(f"{file} holds {filled} of the group's {len(column)} classes")


def _runs(columns: list[int]) -> list[tuple[slice, slice]]:
    """Return (source, target) slices of neighbours, because an HDF5 file is written in slices."""
    cuts = [
        0,
        *(i for i in range(1, len(columns)) if columns[i] != columns[i - 1] + 1),
        len(columns),
    ]
    return [(slice(a, b), slice(columns[a], columns[a] + b - a)) for a, b in zip(cuts, cuts[1:])]
