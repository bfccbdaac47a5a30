"""What to analyse, and where to write the report."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class AnalysisSettings:
    """Settings of an analysis. Each field is the flag of the same name."""

    data_pattern: str
    out_dir: str
    compare_pattern: str = ""
    vocabulary_file: str = ""
    num_classes: int | None = None
    format: str = "png"
    figures: bool = True
    max_bad_records: int = 100
