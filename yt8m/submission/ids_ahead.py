"""The ids of records, as far as they can be known before a prediction computes anything."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m import listing
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.reader import first_records
from yt8m.data.files.shards import evenly_spaced
from yt8m.data.records.isolate import parse_or_isolate
from yt8m.data.records.video import first_id, id_features
from yt8m.submission.ids import as_texts

_ALL = 2**31
_SMALL = 64 << 20  # bytes of records that are read for their ids alone
_SHARDS, _RECORDS = 32, 4  # that are looked at where there are more
_TOGETHER = 256


def ids_ahead(files: Sequence[str]) -> list[str]:
    """Return all ids of small local shards, some ids of larger ones, and none of remote ones.

    An id that an output cannot hold is then refused before the first batch. A record that is
    broken, empty or no example is left out, since the prediction itself counts it.

    Args:
      files: shards.
    """
    if any("://" in path for path in files):
        return []  # Each record would be a question to a bucket.
    are_small = sum(listing.sizes(list(files))) <= _SMALL
    chosen = list(files) if are_small else evenly_spaced(files, _SHARDS)
    records = first_records(chosen, _ALL if are_small else _RECORDS, BadRecords(sys.maxsize))
    records = records.filter(lambda record: tf.strings.length(record) > 0)
    found: list[str] = []
    for payloads in records.batch(_TOGETHER):
        ids, _ = parse_or_isolate(_ids, payloads)
        found += as_texts([] if ids is None else ids.numpy().tolist())
    return found


def _ids(payloads: Any) -> tf.Tensor:
    # The context of a SequenceExample has the same field number as the features of an Example.
    return first_id(tf.io.parse_example(payloads, id_features()))
