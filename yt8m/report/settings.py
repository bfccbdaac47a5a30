"""Which runs to report, and where."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from yt8m.settings import setting
from yt8m.submission.settings import VocabularySettings


@dataclasses.dataclass(frozen=True)
class ReportSettings(VocabularySettings):
    """Settings of a report. Each field is the flag of the same name."""

    runs: Sequence[str] = setting(
        (),
        help="folders of runs, separated by commas, or without the flag's name and separated by"
        " spaces; a JSON file of fusion.py --output_details stands for a fusion",
        common=True,
    )
    out: str = setting("report.html", help="the page to write", common=True)
