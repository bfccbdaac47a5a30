"""Fewer or more labels in training: a fraction of each class's positives removed, or of its negatives made positive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.data.record_index import RecordIndex
from yt8m.errors import UserError

REMOVE, COMPLETE = "remove", "complete"
_BLOCK_BYTES = 512 << 20  # of scores held at a time
_ROWS = 4096


def highest(values: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the `count` highest of `values` [n], ascending; of equal ones the first."""
    count = min(count, len(values))
    if not count:
        return np.zeros(0, np.int64)
    least = np.partition(values, len(values) - count)[len(values) - count]
    above = np.flatnonzero(values > least)
    return np.sort(np.concatenate([above, np.flatnonzero(values == least)[: count - len(above)]]))


def how_many(positives: np.ndarray, fraction: float) -> np.ndarray:
    """Return ⌊f·n_c⌋ [K]; a product that is a whole number but for its last binary digits counts as whole."""
    return np.floor(np.asarray(positives) * fraction + 1e-9).astype(np.int64)


class AlignedScores:
    """A trained model's scores [M, K] of videos in some order, read in the index's order.

    Raises:
      UserError: other classes, classes that the model never learnt, or a record without scores.
    """

    def __init__(
        self,
        index: RecordIndex,
        ids: list[str],
        scores: Any,
        flag: str = "--label_noise_scores",
        covered: Sequence[int] | None = None,
    ):
        if scores.shape[1] != index.num_classes:
            raise UserError(
                f"{flag}: scores of {scores.shape[1]} classes, but the records have {index.num_classes}."
            )
        if (
            covered is not None and len(covered) < index.num_classes
        ):  # the rest score 0 alike, and would say nothing
            raise UserError(
                f"{flag}: the scores are of a model that learnt {len(covered):,} of the {index.num_classes:,} classes, and say nothing"
                " of the others; give those of a model that learnt all."
            )
        row = {name: i for i, name in enumerate(ids)}
        texts = [i.decode("utf-8", "replace") for i in index.ids.tolist()]
        missing = [t for t in texts if t not in row]
        if missing:
            raise UserError(
                f"{flag}: {len(missing):,} of the {len(texts):,} training videos have no scores, {missing[0]!r} for one; write them"
                " with inference.py --input_data_pattern=<the training records> --output_scores=FOLDER."
            )
        self.scores, self.rows = scores, np.array([row[t] for t in texts], np.int64)

    def of(self, records: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the scores of pairs, float32 [n]."""
        return np.asarray(self.scores[self.rows[records], classes], np.float32)

    def columns(self, first: int, end: int) -> np.ndarray:
        """Return float32 [N, end − first]: the scores of a range of classes, all records."""
        block = np.empty([len(self.rows), end - first], np.float32)
        for at in range(0, len(self.rows), _ROWS):
            block[at : at + _ROWS] = self.scores[self.rows[at : at + _ROWS], first:end]
        return block


def changes(
    index: RecordIndex,
    kind: str,
    fraction: float,
    seed: int = 0,
    scores: AlignedScores | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (records, classes) [n]: the labels to remove, or to add.

    Source: UTS 2.1 (spec C.16). Of each class, with n_c positives: `remove` takes its ⌊f·n_c⌋
    lowest-scored positives, `complete` its ⌊f·n_c⌋ highest-scored negatives; without scores, both
    take random ones, by `seed` and class.
    """
    positives = index.positives()
    many = how_many(positives, fraction)
    records, starts = index.by_class()
    found_records, found_classes = [], []
    width = max(1, _BLOCK_BYTES // (4 * max(index.num_records, 1)))
    block, block_first = None, 0
    for c in np.flatnonzero(many):
        own = records[starts[c] : starts[c + 1]]
        rng = np.random.default_rng([seed, int(c)])
        if kind == REMOVE:
            values = (
                rng.random(len(own)) if scores is None else -scores.of(own, np.full(len(own), c))
            )
            chosen = own[highest(values, many[c])]
        else:
            if scores is None:
                values = rng.random(index.num_records)
            else:
                if block is None or c >= block_first + block.shape[1]:
                    block_first, block = (
                        int(c),
                        scores.columns(int(c), min(int(c) + width, index.num_classes)),
                    )
                values = block[:, c - block_first].copy()
            values[own] = -np.inf
            chosen = highest(values, min(int(many[c]), index.num_records - len(own)))
        found_records.append(chosen)
        found_classes.append(np.full(len(chosen), c, np.int32))
    empty = np.zeros(0, np.int64)
    return np.concatenate([empty, *found_records]), np.concatenate([empty, *found_classes]).astype(
        np.int32
    )


class LabelNoise:
    """Changes the labels of batches, video by video, as `changes` decided.

    Args:
      kind: "remove" or "complete".
      ids: of the records to change, bytes [n].
      classes: what to remove from or add to each, int [n].
    """

    def __init__(self, kind: str, ids: np.ndarray, classes: np.ndarray):
        self.value = 0 if kind == REMOVE else 1
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
        """Change the `labels` of each batch."""

        def one(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            labels = tf.numpy_function(
                self.changed, [batch["id"], batch["labels"]], batch["labels"].dtype
            )
            return {**batch, "labels": tf.ensure_shape(labels, batch["labels"].shape)}

        return batches.map(one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
