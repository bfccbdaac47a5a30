"""The frequency of each class, which initialises every classification head.

It comes from the counts of a vocabulary, or else from a bounded sample of records across all
shards, so that a terabyte is never read before the first step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Union

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.reader import first_records
from yt8m.data.files.scan import record_sizes
from yt8m.data.records.isolate import parse_or_isolate
from yt8m.data.schema import RecordSchema
from yt8m.data.vocabulary import Vocabulary
from yt8m.errors import UserError

MAX_RECORDS = 100_000
MAX_BYTES = 512 << 20  # of records read for their labels
_RECORDS_BESIDE_VOCABULARY = 2000
_TOGETHER = 256  # records parsed together
_MOST_SHARDS = 256  # each takes a few requests, if it is in a bucket

Counts = tuple[np.ndarray, Union[int, np.ndarray]]


def sampled_counts(
    files: list[str], schema: RecordSchema, max_records: int = MAX_RECORDS
) -> Counts:
    """Return the positives of each class [K] and the number of examples, from a sample of records.

    The sample consists of the first records of evenly spaced shards. Records that cannot be read or
    parsed are skipped: training, which encounters them again, counts them against its limit.

    An example is a video. If segments are read, the number of examples is the number of ratings of
    each class [K], because no other segment says anything about the class; for classes that are
    never rated it is the number of all segments, so that they start near 0.

    Args:
      files: shards.
      schema: schema of their records.
      max_records: maximum number of records read.
    """
    records = _sample(files, max_records)
    return (_segment_counts if schema.segment_labels else _video_counts)(records, schema)


def _sample(files: list[str], max_records: int) -> tf.data.Dataset:
    """Return serialised records in batches."""
    size = next((s for f in files for s in record_sizes(f, 1)), 1)
    budget = max(len(files[:1]), min(max_records, MAX_BYTES // size))
    step = max(1, -(-len(files) // min(budget, _MOST_SHARDS)))
    chosen = files[::step]
    per_shard = max(1, -(-budget // len(chosen)))
    bad = BadRecords(limit=sys.maxsize)
    return first_records(chosen, per_shard, bad).batch(_TOGETHER)


def _video_counts(batches: tf.data.Dataset, schema: RecordSchema) -> Counts:
    counts, videos = np.zeros(schema.num_classes, np.int64), 0
    spec = {"labels": tf.io.VarLenFeature(tf.int64)}
    for size, parsed in _parsed(batches, spec):
        counts += _of_each_class(parsed["labels"].values.numpy(), schema)
        videos += size
    return counts, videos


def _segment_counts(batches: tf.data.Dataset, schema: RecordSchema) -> Counts:
    counts, ratings = (np.zeros(schema.num_classes, np.int64) for _ in range(2))
    segments = 0
    spec = {
        "segment_start_times": tf.io.VarLenFeature(tf.int64),
        "segment_labels": tf.io.VarLenFeature(tf.int64),
        "segment_scores": tf.io.VarLenFeature(tf.float32),
    }
    for _, parsed in _parsed(batches, spec):
        starts = parsed["segment_start_times"]
        places = np.stack([starts.indices[:, 0].numpy(), starts.values.numpy()], 1)
        segments += len(np.unique(places, axis=0))
        classes = parsed["segment_labels"].values.numpy()
        ratings += _of_each_class(classes, schema)
        counts += _of_each_class(classes[parsed["segment_scores"].values.numpy() > 0.5], schema)
    return counts, np.where(ratings > 0, ratings, segments)


def _parsed(batches: tf.data.Dataset, spec: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    """Yield the number of records and their contents for each batch, without unparsable ones."""
    # The context of a SequenceExample has the same field number as the features of an Example, so
    # one parser reads both.
    for payloads in batches:
        parsed, problems = parse_or_isolate(lambda p: tf.io.parse_example(p, spec), payloads)
        if parsed is not None:
            yield problems.count(None), parsed


def _of_each_class(values: np.ndarray, schema: RecordSchema) -> np.ndarray:
    inside = values[(values >= 0) & (values < schema.num_classes)]
    return np.bincount(inside, minlength=schema.num_classes)


def label_priors(
    files: list[str],
    schema: RecordSchema,
    vocabulary: Vocabulary | None = None,
    max_records: int = MAX_RECORDS,
) -> tuple[np.ndarray, str]:
    """Return the smoothed frequency of each class, float64 [K], and a description of its source.

    It is (n_c + 1/2) / (N + 1), so that no class starts at zero. A vocabulary has the number n_c of
    videos of each class but not the number N of all videos; N is then the sum of its counts over
    the mean number of labels of a few videos.

    Args:
      files: shards.
      schema: schema of their records.
      vocabulary: counts of whole videos; used if its classes are those of the schema.
      max_records: maximum number of records read.

    Raises:
      UserError: no record could be read, or the few that a vocabulary needs have no label.
    """
    given = None if vocabulary is None or schema.segment_labels else vocabulary.counts
    if given is not None and len(given) == schema.num_classes:
        videos = _videos_behind(given, files, schema)
        return _smoothed(given, videos), f"the vocabulary's counts, over about {videos:,} videos"
    counts, examples = sampled_counts(files, schema, max_records)
    _refuse_nothing(np.max(examples), files)
    ratings = "each class's ratings of segments"
    how = ratings if schema.segment_labels else f"the labels of {examples:,} videos"
    return _smoothed(counts, examples), how


def _smoothed(counts: np.ndarray, examples: int | np.ndarray) -> np.ndarray:
    return np.minimum((counts + 0.5) / (examples + 1.0), 0.999)


def _videos_behind(counts: np.ndarray, files: list[str], schema: RecordSchema) -> int:
    """Return the approximate number of videos behind the counts of a vocabulary."""
    few, looked = sampled_counts(files, schema, _RECORDS_BESIDE_VOCABULARY)
    _refuse_nothing(looked, files)
    if not few.sum():
        raise UserError(
            f"none of the {looked:,} records examined in --train_data_pattern has a label, so the"
            " vocabulary's counts do not say how frequent a class is; name the train or validate"
            " files."
        )
    labels_each = few.sum() / looked
    return max(round(counts.sum() / labels_each), int(counts.max()))


def _refuse_nothing(examples: Any, files: list[str]) -> None:
    if not examples:
        raise UserError(
            f"no example for the label priors could be read from the {len(files):,} files of"
            f" --train_data_pattern, the first of which is {files[0]}; `python -m yt8m.data.inspect"
            f" --full {files[0]}` lists its broken records. Name intact files."
        )
