"""The true labels for a fusion, from a CSV or from labelled records."""

from __future__ import annotations

from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.record_index import build_index
from yt8m.errors import UserError
from yt8m.settings import MOST_CLASSES
from yt8m.submission.ground_truth import GroundTruth, read_ground_truth
from yt8m.submission.ids import as_text


def load_labels(place: str, num_classes: int | None = None) -> GroundTruth:
    """Return the ground truth in `place`.

    Args:
      place: a CSV of lines `VIDEO_ID,L1 L2 L3`, or a comma-separated glob patterns of TFRecords.
      num_classes: K, above which a label is refused; None accepts any label.

    Raises:
      UserError: the files are missing, or have no labels.
    """
    if place.endswith(".csv"):
        return read_ground_truth(place)
    files = find_shards(place, "--labels")
    schema, _ = find_schema(
        files, num_classes=num_classes or MOST_CLASSES, flag="--labels", labelled=True
    )
    index = build_index(files, schema.level, schema.num_classes)
    if not len(index.labels.values):
        raise UserError(
            f"--labels: no record of {place!r} has a label; it looks like a test split."
        )
    return GroundTruth([as_text(video) for video in index.ids.tolist()], index.labels)
