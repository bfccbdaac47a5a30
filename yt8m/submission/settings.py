"""Segment settings that evaluation, inference and fusion share."""

from __future__ import annotations

import dataclasses

from yt8m.settings import setting

SEGMENTS = "Five-second segments"


@dataclasses.dataclass(frozen=True)
class SegmentSettings:
    """How five-second segments are ranked. Each field is the flag of the same name."""

    segment_max_pred: int = setting(
        0,
        help="maximum number of segments per class; 0: 100,000, as in the challenge",
        at_least=0,
        group=SEGMENTS,
    )
    segment_label_ids_file: str = setting(
        "",
        help="segment_label_ids.csv with the classes to rank, a path or an http address; "
        "empty: all classes",
        group=SEGMENTS,
    )
