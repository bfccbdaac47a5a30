"""The published PCAs, which turn a network's output into the features of the release.

Source: docs/sources.md#features-of-videos.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError

Array = NDArray[Any]
_FILES = ("mean.npy", "eigenvals.npy", "eigenvecs.npy")  # of the pictures
_VGGISH = ("pca_means", "pca_eigen_vectors")  # of the sound
_EPSILON = 1e-4  # added to an eigenvalue before its root is divided by


@dataclasses.dataclass(frozen=True)
class Pca:
    """A linear map of vectors.

    Attributes:
      mean: subtracted first, [N].
      matrix: [N, D].
    """

    mean: Array
    matrix: Array

    def __call__(self, vectors: Array) -> Array:
        """Return the components [n, D] of vectors [n, N].

        Raises:
          UserError: the vectors have another width.
        """
        if vectors.shape[1] != len(self.mean):
            raise UserError(
                f"the network returns {vectors.shape[1]:,} values, but the PCA takes"
                f" {len(self.mean):,}; name the PCA of this network."
            )
        return (vectors - self.mean) @ self.matrix


def load_pca(path: str, flag: str, size: int = 1024) -> Pca:
    """Return the PCA in a folder with mean.npy, eigenvals.npy and eigenvecs.npy, or VGGish's .npz.

    Args:
      path: local.
      flag: the flag that gave the path, for messages.
      size: number of components to keep of a folder's.

    Raises:
      UserError: a file is missing, or the shapes do not fit.
    """
    try:
        if os.path.isdir(path):
            mean, values, vectors = (np.load(os.path.join(path, name)) for name in _FILES)
            scale = np.sqrt(values.ravel()[:size] + _EPSILON)
            found = Pca(mean.ravel(), vectors[:size].T / scale)
        else:
            with np.load(path) as content:
                mean, vectors = (content[name] for name in _VGGISH)
            found = Pca(mean.ravel(), vectors.T)  # It is whitened already.
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{flag}={path} is neither a folder with {', '.join(_FILES)} nor VGGish's .npz with"
            f" {' and '.join(_VGGISH)} ({error})."
        ) from None
    if found.matrix.shape[0] != len(found.mean):
        raise UserError(
            f"{flag}={path}: the mean has {len(found.mean):,} values, and the eigenvectors have"
            f" {found.matrix.shape[0]:,}."
        )
    return found
