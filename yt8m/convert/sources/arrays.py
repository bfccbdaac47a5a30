"""NumPy files, one for each video, whose name is the video's id."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from yt8m.convert.source import Features, Item, Source, Unusable, as_numbers

_LABELS = "labels"


class ArrayFiles(Source):
    """`.npy` files with one feature, or `.npz` files with several by their names.

    An array `labels` in a `.npz` file has the numbers or names of the video's classes.

    Args:
      paths: the files.
      feature_name: name of the feature in a `.npy` file.
    """

    def __init__(self, paths: Sequence[str], feature_name: str):
        self._paths, self._name = list(paths), feature_name

    def items(self) -> Iterator[Item]:
        """Yield the video of each file."""
        for path in self._paths:
            stem, kind = os.path.splitext(os.path.basename(path))
            labels = None
            if kind == ".npz":
                try:
                    with np.load(path, allow_pickle=False) as arrays:
                        if _LABELS in arrays:
                            labels = tuple(str(x) for x in np.ravel(arrays[_LABELS]))
                except Exception:  # `read` says what is wrong with the file
                    labels = None
            yield Item(stem, labels)

    def read(self, wanted: Sequence[int]) -> Iterator[Features | Unusable]:
        """Yield the arrays of some files."""
        for place in wanted:
            try:
                yield self._features(self._paths[place])
            except Unusable as error:
                yield error
            except Exception as error:  # zipfile, NumPy and the file system have their own
                yield Unusable(f"it cannot be read ({error})")

    def _features(self, path: str) -> Features:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {self._name: as_numbers(loaded, self._name)}
        with loaded:
            return {n: as_numbers(loaded[n], n) for n in loaded.files if n != _LABELS}
