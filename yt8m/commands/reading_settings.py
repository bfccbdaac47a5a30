"""How a trained model reads records and computes, in evaluation and in inference."""

from __future__ import annotations

import dataclasses
from typing import Literal

from yt8m.runs.settings.training import DEVICES, Which
from yt8m.settings import MOST_FRAMES, MOST_IN_A_BATCH, setting
from yt8m.submission.settings import SEGMENTS

OneMachine = Literal["auto", "one", "mirrored", "tpu"]

READING = "Reading"


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """Which model of a run, and what it is applied to. Each field is the flag of the same name."""

    checkpoint: Which = setting(
        "",
        help="which weights to use: best or last; by default the best ones by validation, or else"
        " the last",
        choices=Which,
        common=True,
        group=READING,
    )
    segment_labels: bool | None = setting(
        None,
        help="use five-second segments, even if the run was trained on whole videos; by default as"
        " in training",
        common=True,
        group=SEGMENTS,
    )
    eval_frames: int | None = setting(
        None,
        help=(
            "number of evenly spaced frames per video; 0: all; by default as in the run's"
            " validation"
        ),
        at_least=0,
        group=READING,
        at_most=MOST_FRAMES,
    )


@dataclasses.dataclass(frozen=True)
class ReadingSettings(ModelSettings):
    """How records are read and predictions computed. Each field is the flag of the same name."""

    batch_size: int = setting(
        0,
        help="examples per batch; 0: as in the run",
        at_least=0,
        common=True,
        group=READING,
        at_most=MOST_IN_A_BATCH,
    )
    num_readers: int = setting(
        8,
        help="number of shards to read in parallel",
        at_least=1,
        group=READING,
        at_most=1024,
    )
    max_bad_records: int = setting(
        0,
        help="number of corrupt records that may be skipped",
        at_least=0,
        common=True,
        group=READING,
    )
    strategy: OneMachine = setting(
        "auto", help="tf.distribute strategy", choices=OneMachine, group=DEVICES
    )
    num_gpu: int = setting(
        0,
        help="maximum number of GPUs to use; 0: all",
        at_least=0,
        group=DEVICES,
        at_most=1024,
    )
    jit_compile: bool = setting(False, help="compile the computation with XLA", group=DEVICES)
