"""What `yt8m report` shows of a fusion: its weights, its gain, and how alike its inputs are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.fusion.align import AlignedInputs
from yt8m.fusion.summary import shares_of_classes


class Likeness:
    """How alike the scores of several models are, collected while they pass.

    Args:
      num_models: M.
    """

    def __init__(self, num_models: int):
        self._sums = np.zeros(num_models)
        self._products = np.zeros((num_models, num_models))
        self._same = np.zeros((num_models, num_models), np.int64)
        self._pairs = self._videos = 0

    def update(self, parts: Sequence[np.ndarray]) -> None:
        """Add each model's scores, float32 [n, K], of the same videos."""
        flat = [part.reshape(-1) for part in parts]
        best = [part.argmax(axis=1) for part in parts]
        for i, a in enumerate(flat):
            self._sums[i] += float(a.sum(dtype=np.float64))
            for j in range(i + 1):
                self._products[i, j] += float(a @ flat[j])
                self._same[i, j] += int(np.count_nonzero(best[i] == best[j]))
        self._pairs += flat[0].size
        self._videos += len(parts[0])

    def result(self) -> dict[str, list[list[float]]]:
        """Return two matrices [M, M].

        Returns:
          `correlation`, Pearson's r over all (video, class) pairs; and `same_best_class`, the share
          of the videos for which both models have the same best class.
        """
        means = self._sums / max(self._pairs, 1)
        products = np.tril(self._products) + np.tril(self._products, -1).T
        covariance = products / max(self._pairs, 1) - np.outer(means, means)
        spread = np.sqrt(np.maximum(np.diag(covariance), 1e-30))
        correlation = np.clip(covariance / np.outer(spread, spread), -1.0, 1.0)
        same = np.tril(self._same) + np.tril(self._same, -1).T
        return {
            "correlation": correlation.round(6).tolist(),
            "same_best_class": (same / max(self._videos, 1)).round(6).tolist(),
        }


def details(
    inputs: AlignedInputs, method: str, weights: np.ndarray, likeness: Likeness
) -> dict[str, Any]:
    """Return the contents of the file of --output_details, for a fusion without labels.

    With labels there are `metrics`, those of the inputs and, last, of the fusion [M + 1];
    `on_half`, whether they are those of a half of the videos; and `fitted_on_the_same`, whether the
    weights come from the same videos.

    Args:
      inputs: the inputs.
      method: how the weights were chosen.
      weights: [M, K].
      likeness: that of the inputs.
    """
    return {
        "format": 1,
        "kind": "fusion",
        "inputs": inputs.names,
        "method": method,
        "num_videos": len(inputs.ids),
        "num_classes": inputs.num_classes,
        "weights": {
            "mean": weights.mean(axis=1).round(6).tolist(),
            "largest": shares_of_classes(weights).round(6).tolist(),
        },
        **likeness.result(),
    }
