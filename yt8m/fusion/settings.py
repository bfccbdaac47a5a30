"""What to fuse, how, and where to write it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass
class FusionSettings:
    """Settings of a fusion. Each field is the flag of the same name."""

    inputs: Sequence[str]
    output_file: str = ""
    output_scores: str = ""
    scores_dtype: str = "float32"
    method: str = "average"
    weights: Sequence[float] = ()
    ap_files: Sequence[str] = ()
    power: float = 2.0
    labels: str = ""
    fit_on_half: bool = False
    seed: int = 0
    top_k: int = 20
    num_classes: int = 0
    chunk_size: int = 1024
    output_metrics: str = ""
    segment_max_pred: int = 0
    segment_label_ids_file: str = ""
