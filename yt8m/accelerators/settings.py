"""The settings of each action of `yt8m accelerators`."""

from __future__ import annotations

import dataclasses

from yt8m.runs.settings.training import Dtype
from yt8m.settings import MINUTES, setting

# A model of each family, whose float32 programs are taken as well.
FLOAT32_TOO = (
    "AttnVLAD",
    "DbofCgate",
    "FeatureAttentionModel",
    "GruModel",
    "MoeModel",
    "NetVladModel",
    "ResNet1dModel",
)


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


@dataclasses.dataclass(frozen=True)
class CompileSettings:
    """Settings of a compilation. Each field is the flag of the same name."""

    model: str = setting("", help="comma-separated models", common=True)
    all: bool = setting(
        False,
        help="every model; one of each family also in float32 and on four chips. What the results"
        " have for the same source is not compiled again",
        common=True,
    )
    program: str = setting(
        "",
        help="train, evaluate, predict, step2 or step3; by default all programs of a model",
        common=True,
    )
    topology: str = setting(
        "v5e:2x2",
        help="kind of TPU and slice: v2:2x2, v3:2x2, v4:2x2x1, v5e:2x2, v5p:2x2x1 or v6e:2x2",
        common=True,
    )
    batch_size: int = setting(
        0, help="videos of a step; 0: those of the model's recipe", at_least=0, common=True
    )
    dtype: Dtype | None = setting(
        None, help="type of the computation; by default bfloat16", choices=Dtype, common=True
    )
    replicas: int = setting(
        1, help="chips of the slice that share a training step", at_least=1, common=True
    )
    results: str = setting("", help="file of the results; by default the project's own")
    minutes: float = setting(
        30.0,
        help="minutes after which the compiler of a program is stopped; 0: never",
        at_least=0,
        at_most=MINUTES,
    )


@dataclasses.dataclass(frozen=True)
class TableSettings:
    """Settings of the table. Each field is the flag of the same name."""

    results: str = setting("", help="file of the results; by default the project's own")
    page: str = setting("", help="page whose tables are replaced; by default the checkout's own")
