"""What `yt8m accelerators export` writes, and where."""

from __future__ import annotations

import dataclasses

from yt8m.runs.settings.training import Dtype
from yt8m.settings import setting


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """Settings of an export. Each field is the flag of the same name."""

    out_dir: str = setting(help="folder for run.py and the programs", common=True)
    model: str = setting("", help="comma-separated models; by default all", common=True)
    program: str = setting(
        "",
        help="comma-separated programs (train, evaluate, predict, step2, step3); by default all"
        " those of a model",
        common=True,
    )
    dtype: Dtype | None = setting(
        None,
        help="type of the computation; by default bfloat16, and float32 as well for one model of"
        " each family",
        choices=Dtype,
        common=True,
    )
    batch_size: int = setting(
        0, help="videos of a step; 0: those of the model's recipe", at_least=0, common=True
    )
    num_frames: int = setting(
        0,
        help="frames of each video; 0: those of the model's recipe in training, else 300",
        at_least=0,
        common=True,
    )
