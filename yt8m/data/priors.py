"""How frequent each class is: what every classification head starts from.

From a vocabulary's counts where there are some, else from a bounded sample of records over all
shards, so that a terabyte is never read before the first step.
"""

from __future__ import annotations

from typing import List, Optional, Tuple, Union

import numpy as np
import tensorflow as tf

from yt8m.data.schema import RecordSchema
from yt8m.data.tfrecord_scan import record_sizes
from yt8m.data.vocabulary import Vocabulary

MAX_RECORDS = 100_000
MAX_BYTES = 512 << 20  # of records read for their labels


def sampled_counts(
    files: List[str], schema: RecordSchema, max_records: int = MAX_RECORDS
) -> Tuple[np.ndarray, Union[int, np.ndarray]]:
    """Return (positives of each class [K], examples looked at), from the first records of shards spread over all.

    An example is a video. Of segments there are as many for a class as were rated for it, [K], for no other segment tells
    anything of that class; where none was, all segments, so that a class of which nothing is learnt starts near 0.
    """
    size = next((s for f in files for s in record_sizes(f, 1)), 1)
    budget = max(len(files[:1]), min(max_records, MAX_BYTES // size))
    step = max(1, -(-len(files) // budget))
    chosen = files[::step]
    per_shard = max(1, -(-budget // len(chosen)))
    records = tf.data.Dataset.from_tensor_slices(chosen).interleave(
        lambda f: tf.data.TFRecordDataset(f).ignore_errors().take(per_shard),
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
    for size, parsed in records.batch(256).map(lambda s: (tf.shape(s)[0], tf.io.parse_example(s, spec))):
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


def label_priors(
    files: List[str], schema: RecordSchema, vocabulary: Optional[Vocabulary] = None, max_records: int = MAX_RECORDS
) -> Tuple[np.ndarray, str]:
    """Return the smoothed frequency of each class, float64 [K], and a line that says from where.

    (n_c + 1/2) / (N + 1), so that no class starts at zero. A vocabulary says how often a class was
    seen but not among how many videos; N is then its sum over the labels a video of a few records.
    """
    counted = vocabulary is not None and vocabulary.counts is not None and not schema.segment_labels
    use_counts = counted and vocabulary.num_classes == schema.num_classes
    if use_counts:
        few, videos = sampled_counts(files, schema, 2000)
        labels_each = max(few.sum() / max(videos, 1), 1e-6)
        counts = vocabulary.counts
        videos = max(int(round(counts.sum() / labels_each)), int(counts.max()))
        how = f"the vocabulary's counts, over about {videos:,} videos"
    else:
        counts, videos = sampled_counts(files, schema, max_records)
        how = "each class's ratings of segments" if schema.segment_labels else f"the labels of {videos:,} videos"
    return np.minimum((counts + 0.5) / (videos + 1.0), 0.999), how
