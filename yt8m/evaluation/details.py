"""What an evaluation learns beyond its metrics: calibration, mistakes, and confused classes.

`yt8m report` shows them, so that a page needs neither the records nor the model again. Everything
is collected while the batches pass: 20 bins, the 100 worst mistakes, and 16 bytes for each pair of
classes that was confused or occurred together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.evaluation.pair_counts import PairCounts, within_rows
from yt8m.metrics.evaluation_metrics import BestPairs
from yt8m.submission.ids import as_text

BINS = 20  # of equal width, from 0 to 1
MISTAKES = 100
CONFUSIONS = 200
_LABELS = 12  # true labels that are kept of a mistake


class Calibration:
    """How often predictions of a probability are true, over all (video, class) pairs."""

    def __init__(self) -> None:
        self._counts, self._positives = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
        self._sums = np.zeros(BINS)

    def update(self, predictions: NDArray[Any], positive: NDArray[Any]) -> None:
        """Add predictions [B, K], and which of these classes are true, bool [B, K]."""
        flat, is_true = predictions.reshape(-1), positive.reshape(-1)
        # Nearly all pairs are in the first bin, which follows from the totals.
        chosen = np.flatnonzero(flat >= 1.0 / BINS)
        scores, hits = flat[chosen].astype(np.float64), is_true[chosen]
        bins = np.clip((scores * BINS).astype(np.int64), 1, BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        sums = np.bincount(bins, weights=scores, minlength=BINS)
        positives = np.bincount(bins[hits], minlength=BINS)
        counts[0] = flat.size - len(chosen)
        sums[0] = max(0.0, float(predictions.sum(axis=1).sum(dtype=np.float64)) - scores.sum())
        positives[0] = np.count_nonzero(is_true) - np.count_nonzero(hits)
        self._counts += counts
        self._sums += sums
        self._positives += positives

    def result(self) -> dict[str, list[float]]:
        """Return `count`, `positives` and `mean`, the mean probability, of each bin [20]."""
        means = self._sums / np.maximum(self._counts, 1)
        return {
            "count": self._counts.tolist(),
            "positives": self._positives.tolist(),
            "mean": [round(m, 6) for m in means.tolist()],
        }


class Mistakes:
    """The videos with the most confident wrong predictions, one prediction for each video."""

    def __init__(self) -> None:
        self._worst: list[dict[str, Any]] = []

    def update(
        self,
        ids: Sequence[object],
        predictions: NDArray[Any],
        positive: NDArray[Any],
        best: BestPairs,
    ) -> None:
        """Add a batch: N ids, predictions [B, K], true classes bool [B, K], and the best pairs."""
        first = np.argmin(best.hits, axis=1)[:, None]  # the best class that is wrong
        scores = np.take_along_axis(best.scores, first, 1)[:, 0]
        classes = np.take_along_axis(best.classes, first, 1)[:, 0]
        wrong = ~np.take_along_axis(best.hits, first, 1)[:, 0]
        enough = self._worst[-1]["score"] if len(self._worst) == MISTAKES else 0.0
        rows = np.flatnonzero(wrong & (scores > enough))
        rows = rows[np.argsort(-scores[rows], kind="stable")[:MISTAKES]]
        found = []
        for row in rows.tolist():
            labels = np.flatnonzero(positive[row])[:_LABELS]
            found.append(
                {
                    "id": as_text(ids[row]),
                    "class": int(classes[row]),
                    "score": round(float(scores[row]), 6),
                    "labels": labels.tolist(),
                    "label_scores": [round(float(s), 6) for s in predictions[row, labels]],
                }
            )
        self._worst = sorted([*self._worst, *found], key=lambda m: -m["score"])[:MISTAKES]

    def result(self) -> list[dict[str, Any]]:
        """Return the mistakes, the most confident one first."""
        return self._worst


class Confusions:
    """Which class is predicted in place of which.

    Of a video with n labels the n best predictions count, as in PERR. Each label that is not among
    them is paired with each of them that is wrong.

    Args:
      num_classes: K.
    """

    def __init__(self, num_classes: int):
        self._num_classes = num_classes
        self._confused, self._together = PairCounts(num_classes), PairCounts(num_classes)

    def update(self, positive: NDArray[Any], best: BestPairs) -> None:
        """Add a batch: true classes bool [B, K], and the best pairs."""
        batch, keys = len(positive), np.flatnonzero(positive)
        rows, labels = np.divmod(keys, self._num_classes)
        num_labels = np.bincount(rows, minlength=batch)
        counts = np.arange(best.hits.shape[1]) < num_labels[:, None]  # [B, k]
        hit_rows, hit_places = np.nonzero(counts & best.hits)
        found = hit_rows * self._num_classes + best.classes[hit_rows, hit_places]
        missed_rows, missed = np.divmod(
            np.setdiff1d(keys, found, assume_unique=True), self._num_classes
        )
        wrong_rows, places = np.nonzero(counts & ~best.hits)
        wrong = best.classes[wrong_rows, places]
        a, b = within_rows(missed_rows, wrong_rows, batch)
        self._confused.update(missed[a], wrong[b])
        a, b = within_rows(rows, rows, batch)
        pairs = labels[a] < labels[b]
        self._together.update(labels[a][pairs], labels[b][pairs])

    def result(self) -> list[list[int]]:
        """Return [true class, predicted class, videos, videos that truly have both]."""
        return [
            [true, predicted, count, self._together.count(*sorted((true, predicted)))]
            for true, predicted, count in self._confused.most_frequent(CONFUSIONS)
        ]


class Details:
    """The details of an evaluation, collected batch by batch.

    Args:
      num_classes: K.
    """

    def __init__(self, num_classes: int):
        self._calibration, self._mistakes = Calibration(), Mistakes()
        self._confusions = Confusions(num_classes)

    def update(
        self,
        ids: Sequence[object],
        predictions: NDArray[Any],
        positive: NDArray[Any],
        best: BestPairs,
    ) -> None:
        """Add a batch.

        Args:
          ids: N ids, str or bytes.
          predictions: float [B, K].
          positive: the true classes, bool [B, K].
          best: the best pairs, as `EvaluationMetrics.update` returns them.
        """
        self._calibration.update(predictions, positive)
        self._mistakes.update(ids, predictions, positive, best)
        self._confusions.update(positive, best)

    def result(self) -> dict[str, Any]:
        """Return the contents of details.json."""
        return {
            "format": 1,
            "calibration": self._calibration.result(),
            "mistakes": self._mistakes.result(),
            "confusions": self._confusions.result(),
        }
