"""How frequent each class is: what every classification head starts from.

From a vocabulary's counts where there are some, else from a bounded sample of records over all
shards, so that a terabyte is never read before the first step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import PARSE_ERRORS, BadRecords
from yt8m.data.files.scan import record_sizes
from yt8m.data.pipeline import read_shard
from yt8m.data.schema import RecordSchema
from yt8m.data.vocabulary import Vocabulary
from yt8m.errors import UserError

MAX_RECORDS = 100_000
MAX_BYTES = 512 << 20  # of records read for their labels


def sampled_counts(
    files: list[str], schema: RecordSchema, max_records: int = MAX_RECORDS
) -> tuple[np.ndarray, int | np.ndarray]:
    """Return (positives of each class [K], examples looked at), from the first records of shards spread over all.

    An example is a video. Of segments there are as many for a class as were rated for it, [K], for no other segment tells
    anything of that class; where none was, all segments, so that a class of which nothing is learnt starts near 0.
    Records that cannot be read or parsed are passed over: the training, which meets them again, counts them against
    its limit.
    """
    size = next((s for f in files for s in record_sizes(f, 1)), 1)
    budget = max(len(files[:1]), min(max_records, MAX_BYTES // size))
    step = max(1, -(-len(files) // budget))
    chosen = files[::step]
    per_shard = max(1, -(-budget // len(chosen)))
    bad = BadRecords(limit=sys.maxsize)
    records = tf.data.Dataset.from_tensor_slices(chosen).interleave(
        lambda f: read_shard(f, bad, chunk=min(16, per_shard)).take(per_shard),
        cycle_length=8,
        num_parallel_calls=8,
    )
    # A SequenceExample's context lies where an Example's features do, so one parser reads both.
    if schema.segment_labels:
        spec = {k: tf.io.VarLenFeature(tf.int64) for k in ("segment_start_times", "segment_labels")}
        spec["segment_scores"] = tf.io.VarLenFeature(tf.float32)
    else:
        spec = {"labels": tf.io.VarLenFeature(tf.int64)}
    counts, examples = np.zeros(schema.num_classes, np.int64), 0
    ratings = np.zeros_like(counts)
    for size, parsed in _parsed(records.batch(256), spec):
        if schema.segment_labels:
            starts = parsed["segment_start_times"]
            segments = np.stack([starts.indices[:, 0].numpy(), starts.values.numpy()], 1)
            examples += len(np.unique(segments, axis=0))
            values = parsed["segment_labels"].values.numpy()
            rated = values[(values >= 0) & (values < schema.num_classes)]
            ratings += np.bincount(rated, minlength=schema.num_classes)
            values = values[parsed["segment_scores"].values.numpy() > 0.5]
        else:
            examples += int(size)
            values = parsed["labels"].values.numpy()
        values = values[(values >= 0) & (values < schema.num_classes)]
        counts += np.bincount(values, minlength=schema.num_classes)
    return counts, np.where(ratings > 0, ratings, examples) if schema.segment_labels else examples


def _parsed(batches: tf.data.Dataset, spec: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (records, what they hold) of each batch of serialised records, without those that do not parse."""
    for payloads in batches:
        try:
            parsed = tf.io.parse_example(payloads, spec)
        except PARSE_ERRORS:  # which of them, the batch does not say
            payloads = tf.constant([p for p in payloads.numpy() if _parses(p, spec)], tf.string)
            if not len(payloads):
                continue
            parsed = tf.io.parse_example(payloads, spec)
        yield len(payloads), parsed


def _parses(payload: bytes, spec: dict[str, Any]) -> bool:
    try:
        tf.io.parse_example([payload], spec)
    except PARSE_ERRORS:
        return False
    return True


def label_priors(
    files: list[str],
    schema: RecordSchema,
    vocabulary: Vocabulary | None = None,
    max_records: int = MAX_RECORDS,
) -> tuple[np.ndarray, str]:
    """Return the smoothed frequency of each class, float64 [K], and a line that says from where.

    (n_c + 1/2) / (N + 1), so that no class starts at zero. A vocabulary says how often a class was
    seen but not among how many videos; N is then its sum over the labels a video of a few records.

    Raises:
      UserError: no record could be read, or the few that a vocabulary's counts are held against have no label.
    """
    counted = vocabulary is not None and vocabulary.counts is not None and not schema.segment_labels
    use_counts = counted and vocabulary.num_classes == schema.num_classes
    if use_counts:
        few, videos = sampled_counts(files, schema, 2000)
        _check_counted(videos, files)
        if not few.sum():
            raise UserError(
                f"none of {videos:,} records looked at behind --train_data_pattern has a label, so the vocabulary's counts"
                " say nothing of how frequent a class is; name the train or validate files."
            )
        labels_each = few.sum() / videos
        counts = vocabulary.counts
        videos = max(round(counts.sum() / labels_each), int(counts.max()))
        how = f"the vocabulary's counts, over about {videos:,} videos"
    else:
        counts, videos = sampled_counts(files, schema, max_records)
        _check_counted(np.max(videos), files)
        how = (
            "each class's ratings of segments"
            if schema.segment_labels
            else f"the labels of {videos:,} videos"
        )
    return np.minimum((counts + 0.5) / (videos + 1.0), 0.999), how


def _check_counted(examples: Any, files: list[str]) -> None:
    if not examples:
        raise UserError(
            f"no example for the label priors could be read from the {len(files):,} files of --train_data_pattern, the first"
            f" {files[0]}; `python -m yt8m.data.inspect --full {files[0]}` lists its broken records. Name whole files."
        )
