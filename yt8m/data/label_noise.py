"""Removal or addition of labels in training.

A fraction of each class's positives is removed, or as many of its negatives are made positive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from yt8m.data.record_index import RecordIndex
from yt8m.errors import UserError

Kind = Literal["remove", "complete"]
_BLOCK_BYTES = 512 << 20  # of scores held at a time
_ROWS = 4096


def highest(values: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` highest `values` [n], ascending; the first wins ties."""
    count = min(count, len(values))
    if not count:
        return np.zeros(0, np.int64)
    least = np.partition(values, len(values) - count)[len(values) - count]
    above = np.flatnonzero(values > least)
    ties = np.flatnonzero(values == least)[: count - len(above)]
    return np.sort(np.concatenate([above, ties]))


def how_many(positives: np.ndarray, fraction: float) -> np.ndarray:
    """Return ⌊f·n_c⌋ [K]; products within 1e-9 of a whole number count as whole."""
    return np.floor(np.asarray(positives) * fraction + 1e-9).astype(np.int64)


class AlignedScores:
    """A trained model's scores for videos, in the order of an index.

    Args:
      index: index of the records.
      ids: ids of M videos, in any order.
      scores: float [M, K], may be memory-mapped.
      flag: flag that named the scores, for messages.
      covered: classes on which the model was trained; None: all.

    Raises:
      UserError: the scores are for other classes, or classes or records are missing from them.
    """

    def __init__(
        self,
        index: RecordIndex,
        ids: Iterable[str],
        scores: Any,
        flag: str = "--label_noise_scores",
        covered: Sequence[int] | None = None,
    ):
        if scores.shape[1] != index.num_classes:
            raise UserError(
                f"{flag}: the scores are for {scores.shape[1]} classes, but the records have"
                f" {index.num_classes}."
            )
        # The model scores every other class 0, which would say nothing about its videos.
        if covered is not None and len(covered) < index.num_classes:
            raise UserError(
                f"{flag}: the scores come from a model trained on {len(covered):,} of the"
                f" {index.num_classes:,} classes, and say nothing about the others; use those of a"
                " model trained on all."
            )
        row = {name: i for i, name in enumerate(ids)}
        texts = [i.decode("utf-8", "replace") for i in index.ids.tolist()]
        missing = [t for t in texts if t not in row]
        if missing:
            raise UserError(
                f"{flag}: {len(missing):,} of the {len(texts):,} training videos have no scores,"
                f" for example {missing[0]!r}; write them with inference.py"
                " --input_data_pattern=<the training records> --output_scores=FOLDER."
            )
        self.scores, self.rows = scores, np.array([row[t] for t in texts], np.int64)

    def of(self, records: np.ndarray, label: int) -> np.ndarray:
        """Return the scores of one class for some records [n], float32 [n]."""
        return np.asarray(self.scores[self.rows[records], label], np.float32)

    def columns(self, first: int, end: int) -> np.ndarray:
        """Return the scores of a range of classes for all records, float32 [N, end − first]."""
        block = np.empty([len(self.rows), end - first], np.float32)
        for at in range(0, len(self.rows), _ROWS):
            block[at : at + _ROWS] = self.scores[self.rows[at : at + _ROWS], first:end]
        return block


def changes(
    index: RecordIndex,
    kind: Kind,
    fraction: float,
    seed: int = 0,
    scores: AlignedScores | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels to remove or to add, as records [n] and classes [n].

    Source: UTS 2.1, docs/sources.md#label-noise. For each class, with n_c positives, `remove` takes
    the ⌊f·n_c⌋ lowest-scored positives, `complete` the ⌊f·n_c⌋ highest-scored negatives; without
    scores, both take random ones, which depend on the seed and the class.

    Args:
      index: index of the training records.
      kind: "remove" or "complete".
      fraction: f.
      seed: seed of the random choice.
      scores: scores of the records; None chooses at random.
    """
    many = how_many(index.positives(), fraction)
    positives = index.by_class()
    columns = None if scores is None else _Columns(scores, index)
    records, classes = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    for c in np.flatnonzero(many).tolist():
        own = positives[c]
        rng = np.random.default_rng([seed, c])
        if kind == "remove":
            values = rng.random(len(own)) if scores is None else -scores.of(own, c)
            chosen = own[highest(values, int(many[c]))]
        else:
            values = rng.random(index.num_records) if columns is None else columns.of(c)
            values[own] = -np.inf
            chosen = highest(values, min(int(many[c]), index.num_records - len(own)))
        records.append(chosen)
        classes.append(np.full(len(chosen), c, np.int32))
    return np.concatenate(records), np.concatenate(classes)


class _Columns:
    """Scores of one class for all records, read in blocks of classes, which must come in order."""

    def __init__(self, scores: AlignedScores, index: RecordIndex):
        self._scores, self._num_classes = scores, index.num_classes
        self._width = max(1, _BLOCK_BYTES // (4 * max(index.num_records, 1)))
        self._first, self._block = 0, np.zeros([index.num_records, 0], np.float32)

    def of(self, label: int) -> np.ndarray:
        """Return a copy of the column, float32 [N]."""
        if label >= self._first + self._block.shape[1]:
            end = min(label + self._width, self._num_classes)
            self._first, self._block = label, self._scores.columns(label, end)
        return self._block[:, label - self._first].copy()


class LabelNoise:
    """Changes the labels of batches, video by video, as `changes` determined.

    Args:
      kind: "remove" or "complete".
      ids: ids of the records to change, bytes [n].
      classes: class to remove from or add to each, int [n].
    """

    def __init__(self, kind: Kind, ids: np.ndarray, classes: np.ndarray):
        self.value = 0 if kind == "remove" else 1
        self._classes: dict[bytes, list[int]] = {}
        for name, c in zip(ids.tolist(), np.asarray(classes).tolist()):
            self._classes.setdefault(name, []).append(c)

    def changed(self, ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the labels [B, K] of videos `ids` [B] with their changes."""
        labels = labels.copy()
        for row, name in enumerate(ids):
            for c in self._classes.get(name, ()):
                labels[row, c] = self.value
        return labels

    def apply(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches with changed `labels`."""

        def one(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            old = batch["labels"]
            labels = tf.numpy_function(self.changed, [batch["id"], old], old.dtype)
            return {**batch, "labels": tf.ensure_shape(labels, old.shape)}

        return batches.map(one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
