"""Joining of the files of a head's groups into one weight file, in the memory of one block.

Keras writes a model's weights from memory, and a model with 200 experts for each class has 7 GB of
them. So Keras writes the weights of a model with the same layers but a single feature, in which
every array contains a different number. That file shows under which name Keras keeps which array. A
file with the same names and the full width is then filled block by block.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import Any

import h5py  # Keras requires it and writes `.weights.h5` with it
import numpy as np
import tensorflow as tf

from yt8m.files import temporary
from yt8m.largescale.mixtures.mixture_block import NAMES
from yt8m.largescale.mixtures.scatter_blocks import check_filled, scatter_blocks
from yt8m.largescale.tasks.shipped_model import weights_before_head
from yt8m.models.core.base import Yt8mModel


def join_groups(
    small: Yt8mModel, files: list[str], width: int, path: str, others: Sequence[np.ndarray] = ()
) -> None:
    """Write `path` (`.weights.h5`), either completely or not at all.

    Args:
      small: the built model with one feature in place of D, whose `head` is a
        `GroupedMixtureOfExperts`. All its weights are overwritten.
      files: the blocks file of each group of the head (see `partition_training`).
      width: D.
      path: where the weights go.
      others: the whole model's weights before its head, in the model's order.

    Raises:
      ValueError: the model has other weights outside its head, or a class of the group is missing
        from a file.
    """
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tempfile.TemporaryDirectory() as folder:
        pattern = os.path.join(folder, "pattern.weights.h5")
        places = _save_pattern(small, pattern, len(others))
        remote = "://" in path
        unfinished = temporary(path)
        local = os.path.join(folder, "model.weights.h5") if remote else unfinished
        with h5py.File(pattern, "r") as source, h5py.File(local, "w") as out:
            data_sets = _copy_structure(source, out, places, width, others)
            for i, (file, group) in enumerate(zip(files, small.head.groups)):
                arrays = {name: data_sets[i, name] for name in NAMES}
                check_filled(scatter_blocks(file, [group], [arrays]), [group])
        if remote:
            tf.io.gfile.copy(local, unfinished, overwrite=True)
    tf.io.gfile.rename(unfinished, path, overwrite=True)


def _save_pattern(small: Yt8mModel, pattern: str, others: int) -> list[tuple[int, str]]:
    """Give each array its own number, save the weights, and return (group, name) of each number.

    The numbers of the `others`, which are before the head, follow those of the head.
    """
    places = [(i, name) for i in range(len(small.head.groups)) for name in NAMES]
    for number, (i, name) in enumerate(places):
        variable = getattr(small.head.mixtures[i], name)
        variable.assign(np.full(variable.shape, number, np.float32))
    before = weights_before_head(small)
    for number, variable in enumerate(before, len(places)):
        variable.assign(np.full(variable.shape, number, np.float32))
    if len(before) != others:
        raise ValueError(f"{type(small).__name__} has weights outside its head")
    small.save_weights(pattern)
    return places


def _copy_structure(
    source: Any,
    out: Any,
    places: list[tuple[int, str]],
    width: int,
    others: Sequence[np.ndarray] = (),
) -> dict[tuple[int, str], Any]:
    """Create in `out` the structure of `source`, with D features instead of one.

    Returns:
      The new data sets by (group, name).
    """
    data_sets: dict[tuple[int, str], Any] = {}
    out.attrs.update(source.attrs)

    def copy(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            number = round(float(np.ravel(item[()])[0]))
            if number >= len(places):
                out.create_dataset(name, data=others[number - len(places)])
                out[name].attrs.update(item.attrs)
                return
            place = places[number]
            shape = item.shape if place[1] == "bias" else (width, *item.shape[1:])
            data_sets[place] = out.create_dataset(name, shape, "float32")
        if isinstance(item, h5py.Group):
            out.require_group(name)
        out[name].attrs.update(item.attrs)

    source.visititems(copy)
    if len(data_sets) != len(places):
        raise ValueError(f"the weight file has {len(data_sets)} arrays instead of {len(places)}")
    return data_sets
