"""What to convert, and into what."""

from __future__ import annotations

import dataclasses
from typing import Literal

from yt8m.settings import setting

Levels = Literal["auto", "frame", "video"]

TABLES = "Tables (CSV and Parquet)"
SPLIT = "Split"


@dataclasses.dataclass(frozen=True)
class ConvertSettings:
    """Settings of a conversion. Each field is the flag of the same name."""

    input: str = setting(
        "",
        help="comma-separated globs of files of one kind, or a folder; the first argument without a"
        " name means this flag",
        common=True,
    )
    out_dir: str = setting("", help="folder for the records and the vocabulary", common=True)
    labels: str = setting(
        "",
        help="CSV with a row for each video, `id,labels` (several are separated by ; or |), or a"
        " row for each of its labels; by default the labels in the input",
        common=True,
    )
    vocabulary_file: str = setting(
        "",
        help="vocabulary.csv with the names of the classes; by default one is made from the labels",
        common=True,
    )
    level: Levels = setting(
        "auto",
        help="frame or video: what a record has; auto: what the input has. video makes means of"
        " frames",
        choices=Levels,
        common=True,
    )
    feature_name: str = setting(
        "feature", help="name of a feature for which the input has none", common=True
    )
    rename: str = setting(
        "", help="other names for features, comma-separated OLD:NEW, such as clip_b32:clip"
    )
    id_column: str = setting(
        "", help="column of the ids; by default id, video_id or the like", group=TABLES
    )
    label_column: str = setting(
        "", help="column of the labels; by default labels, label or the like", group=TABLES
    )
    frame_column: str = setting(
        "",
        help="column that numbers the frames of a video, of which each has a row; the rows of a"
        " video follow one another; by default frame, if there is one",
        group=TABLES,
    )
    validate_fraction: float = setting(
        0.1, help="share of the videos for validation", at_least=0, at_most=1, group=SPLIT
    )
    test_fraction: float = setting(
        0.0, help="share of the videos for a test", at_least=0, at_most=1, group=SPLIT
    )
    shards: int = setting(
        0,
        help="number of training shards; 0: one for each 64 MB",
        at_least=0,
        at_most=99999,
        group=SPLIT,
    )
    seed: int = setting(0, help="another seed splits otherwise", at_least=0, group=SPLIT)
    max_bad_videos: int = setting(
        0, help="number of unusable videos to leave out before an error", at_least=0
    )
