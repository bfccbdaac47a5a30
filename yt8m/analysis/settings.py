"""What to analyse, and where to write the report."""

from __future__ import annotations

import dataclasses
from typing import Literal

from yt8m.settings import MOST_CLASSES, setting

Format = Literal["png", "svg"]


@dataclasses.dataclass(frozen=True)
class AnalysisSettings:
    """Settings of an analysis. Each field is the flag of the same name."""

    data_pattern: str = setting(
        help="comma-separated glob patterns of labelled records, video-level or frame-level; only "
        "labels are read",
        common=True,
    )
    out_dir: str = setting(help="folder for report.md, analysis.json and the figures", common=True)
    compare_pattern: str = setting(
        "",
        help="a second set, such as the validate split, shown beside the first",
        common=True,
    )
    vocabulary_file: str = setting(
        "",
        help="vocabulary.csv with the names of the classes; by default the one beside the records",
        common=True,
    )
    num_classes: int | None = setting(
        None,
        help="number of classes (K); by default the rows of the vocabulary, or else those of the "
        "release",
        at_least=1,
        common=True,
        at_most=MOST_CLASSES,
    )
    format: Format = setting("png", help="format of the figures", choices=Format, common=True)
    figures: bool = setting(
        True,
        help="draw the figures (requires matplotlib); --nofigures writes everything else",
        common=True,
    )
    max_bad_records: int = setting(
        100,
        help="number of corrupt records to skip before the analysis stops with an error",
        at_least=0,
        common=True,
    )
