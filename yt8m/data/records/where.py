"""Where the record of a video is, to name it in messages about what was computed of it."""

from __future__ import annotations

from collections.abc import Sequence

from yt8m.data.files.bad_records import BadRecord
from yt8m.data.files.scan import scan
from yt8m.data.records.check import RecordCheck
from yt8m.data.records.protos import context_features
from yt8m.data.schema import ID_KEYS, RecordSchema


def where_is(files: Sequence[str], video: bytes, schema: RecordSchema) -> BadRecord | None:
    """Return the first record of a video, and what is wrong with its values or ""; None if none is.

    The shards are read from the first on, which takes as long as a pass if the record is last.

    Args:
      files: shards.
      video: its id.
      schema: schema of the records.
    """
    check = RecordCheck(schema, with_labels=False)
    for path in files:
        for record in scan(path):
            if record.payload is not None and _id_of(record.payload) == video:
                problem = check.problems([record.payload], finite=True)[0]
                return BadRecord(path, record.offset, problem or "")
    return None


def _id_of(payload: bytes) -> bytes:
    features = context_features(payload)
    found = (features[key].bytes_list.value for key in ID_KEYS if features and key in features)
    return next((values[0] for values in found if values), b"")
