"""The true labels for a fusion, wherever they lie: a CSV, a score folder, or labelled records."""

from __future__ import annotations

import os

from yt8m.errors import UserError
from yt8m.submission.ground_truth import GroundTruth, read_ground_truth
from yt8m.submission.ids import as_text
from yt8m.submission.score_files import LABELS, is_score_folder


def load_labels(place: str, num_classes: int | None = None) -> GroundTruth:
    """Return the ground truth in `place`.

    Args:
      place: a CSV of `VIDEO_ID,L1 L2 L3` lines, a score folder that has labels, or a comma list of
        globs of TFRecords.
      num_classes: K; None is what the records say.

    Raises:
      UserError: nothing there, or no labels in it.
    """
    if place.endswith(".csv"):
        return read_ground_truth(place)
    if is_score_folder(place):
        path = os.path.join(place, LABELS)
        if not os.path.isfile(path):
            raise UserError(
                f"--labels: the score folder {place!r} has no {LABELS}; name a CSV or labelled records."
            )
        return read_ground_truth(path)
    return _from_records(place, num_classes)


def _from_records(pattern: str, num_classes: int | None) -> GroundTruth:
    import numpy as np

    from yt8m.data.files.bad_records import BadRecords
    from yt8m.data.files.shards import find_shards
    from yt8m.data.find_schema import find_schema
    from yt8m.data.pipeline import read_batches

    files = find_shards(pattern, "--labels")
    schema, _ = find_schema(files, num_classes=num_classes, flag="--labels")
    ids, labels, bad = [], [], BadRecords(0)
    with bad.explained(schema.num_classes):
        for batch in read_batches(
            files, schema, bad, batch_size=1024 if schema.level == "video" else 64
        ):
            ids.extend(as_text(i) for i in batch["id"].numpy())
            labels.extend(np.flatnonzero(row) for row in batch["labels"].numpy())
    if not any(len(row) for row in labels):
        raise UserError(
            f"--labels: no record of {pattern!r} has a label; this looks like a test split."
        )
    return GroundTruth(ids, labels)
