"""Whether features are those of a release, for which the models were tuned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yt8m.data.features.statistics import read_rows
from yt8m.data.releases import LARGEST, has_names_of_release
from yt8m.data.schema import RecordSchema

_RECORDS, _SHARDS = 24, 3


def has_release_features(files: Sequence[str], schema: RecordSchema) -> bool:
    """Return whether features have the names, the form and the range of a release's.

    Args:
      files: shards, of which a few records are read if their features are floats.
      schema: schema of their records.
    """
    if not has_names_of_release(schema):
        return False
    if schema.level == "frame":
        return True  # bytes are in the range, and MediaPipe's floats are clipped to it
    rows = [rows for rows, _ in read_rows(files, schema, _RECORDS, _SHARDS)]
    return all(float(np.abs(part).max(initial=0.0)) <= LARGEST for part in rows)
