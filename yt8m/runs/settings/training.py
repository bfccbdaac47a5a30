"""How a run reads, computes and stops: settings of the run, not of its model."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from yt8m.models.core.recipe import FRAMES, LOSS, OPTIMIZATION
from yt8m.settings import MINUTES, MOST_BEST, MOST_FRAMES, MOST_IN_A_BATCH, SECONDS, setting

Trainer = Literal["auto", "joint", "partitioned", "alternating"]
Strategy = Literal["auto", "one", "mirrored", "multi_worker", "tpu"]
Dtype = Literal["float32", "bfloat16"]
# A saved model of a run; "" is the best, or the last if nothing was validated.
Which = Literal["", "best", "last"]
LabelNoise = Literal["", "remove", "complete"]

DATA = "Data"
START = "Starting weights"
DEVICES = "Devices and speed"
VALIDATION = "Validation and stopping"
SAVING = "Checkpoints and progress"


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a run reads, computes and stops. Each field is the flag of the same name."""

    train_data_pattern: str = setting(
        help="comma-separated glob patterns of the training records; if empty, a synthetic sample"
        " is made and used",
        common=True,
        group=DATA,
    )
    eval_data_pattern: str = setting(
        "",
        help="comma-separated glob patterns of the records to validate on after each epoch",
        common=True,
        group=DATA,
    )
    vocabulary_file: str = setting(
        "",
        help="vocabulary.csv with class names and label counts; by default the one beside the "
        "records",
        group=DATA,
    )
    priors_from: str = setting(
        "", help="folder of an earlier run; this run starts from its label priors", group=START
    )
    init_from: str = setting(
        "",
        help="folder of an earlier run, or a model on the Hub (hf://OWNER/NAME); this run starts"
        " from its best weights, or its last if none were validated: from all of them, from those"
        " below the head if the run has other classes, or from the part that the model documents",
        group=START,
    )
    freeze_trunk: bool = setting(
        False,
        help="train only the layers that depend on the classes; those below stay as --init_from"
        " gives them, with batch normalization in inference mode",
        group=START,
    )
    trainer: Trainer = setting(
        "joint",
        flag_default="auto",
        help="how the weights are trained; auto: the model's own trainer, usually joint."
        " partitioned: trains PmoeModel's groups of labels one after the other, which needs"
        " memory for one group only: 12 bytes x D (2k + 1) x group_size, plus about 1 GB for"
        " any model (k = 200, 500 labels, D = 1152: 2.8 + 1 GB). alternating: the KDD paper's"
        " three steps",
        choices=Trainer,
        group="Model",
    )
    strategy: Strategy = setting(
        "auto",
        help="tf.distribute strategy",
        choices=Strategy,
        may_change=True,
        group=DEVICES,
    )
    num_gpu: int = setting(
        0,
        help="maximum number of GPUs to use; 0: all",
        at_least=0,
        may_change=True,
        group=DEVICES,
        at_most=1024,
    )
    dtype: Dtype = setting(
        "float32",
        flag_default="auto",
        help="data type of the computation (weights stay float32); auto: bfloat16 where the device"
        " is clearly faster in it, else float32, and float32 with --starter_defaults; a resumed"
        " run keeps its own",
        choices=("auto", *get_args(Dtype)),
        group=DEVICES,
    )
    jit_compile: bool = setting(
        False, help="compile the forward and backward pass with XLA", group=DEVICES
    )
    steps_per_call: int = setting(
        0,
        help="training steps per call of the compiled loop; 0: 1 on a CPU, 16 on GPUs and TPUs",
        at_least=0,
        may_change=True,
        group=DEVICES,
    )
    seed: int = setting(
        0,
        help="seed of the initial weights and of the order of the data",
        at_least=0,
        at_most=2**32 - 1,
        group=OPTIMIZATION,
    )
    max_steps: int = setting(
        0,
        help="stop after this many steps; 0: no limit",
        at_least=0,
        may_change=True,
        common=True,
        group=VALIDATION,
    )
    patience: int = setting(
        0,
        help="stop after this many epochs in which no validation has improved the best GAP; 0:"
        " never",
        at_least=0,
        may_change=True,
        group=VALIDATION,
    )
    min_gain: float = setting(
        0.0,
        help="smallest gain in GAP that --patience counts as an improvement",
        at_least=0,
        may_change=True,
        group=VALIDATION,
        at_most=1,
    )
    regularization_penalty: float = setting(
        1.0,
        help="weight of the model's L2 and auxiliary losses",
        group=LOSS,
        at_least=0,
    )
    balanced_batches: bool = setting(
        False,
        help="draw a class uniformly and then one of its videos, so that all classes are seen "
        "equally often",
        group=LOSS,
    )
    label_weight_power: float = setting(
        0.0,
        help="beta: a class with n positives has the weight n^-beta in the training loss; 0: off",
        at_least=0,
        group=LOSS,
        at_most=100,
    )
    label_noise: LabelNoise = setting(
        "",
        help="train with some labels of each class removed (remove) or added (complete)",
        choices=LabelNoise,
        group=LOSS,
    )
    label_noise_fraction: float = setting(
        0.05,
        help="fraction of each class's positives that --label_noise removes or adds",
        at_least=0,
        at_most=1,
        group=LOSS,
    )
    label_noise_scores: str = setting(
        "",
        help="scores for the training records (from inference.py --output_scores) that decide"
        " which labels are removed or added; if empty, labels are chosen at random",
        group=LOSS,
    )
    teacher_scores: str = setting(
        "",
        help="comma-separated folders with scores for the training records (from inference.py or"
        " fusion.py --output_scores), which the model learns beside the labels",
        group=LOSS,
    )
    teacher_weight: float = setting(
        0.5,
        help="share of --teacher_scores in the loss; that of the labels is the rest",
        above=0,
        at_most=1,
        group=LOSS,
    )
    teacher_temperature: float = setting(
        1.0,
        help="temperature by which the logits of --teacher_scores and of the model are divided",
        above=0,
        group=LOSS,
    )
    label_smoothing: float = setting(
        0.0,
        help="share of the label frequencies in each training target; 0: off",
        at_least=0,
        at_most=0.9,
        group=LOSS,
    )
    drop_frames: float = setting(
        0.0,
        help="probability with which each frame of a video is left out in training; one always"
        " stays; 0: off",
        at_least=0,
        at_most=0.99,
        group=FRAMES,
    )
    average_checkpoints: int = setting(
        0,
        help="after the last epoch, validate the mean of the weights of so many last epochs, and"
        " make it the best model if it is; 0: off",
        at_least=0,
        group=VALIDATION,
        at_most=1000,
    )
    validate_every_minutes: float = setting(
        0.0,
        help="minutes between validations within an epoch, which the run counts in steps; 0: only"
        " at the end of each epoch",
        at_least=0,
        may_change=True,
        group=VALIDATION,
        at_most=MINUTES,
    )
    validate_examples: int = setting(
        0,
        help="validate on whole shards with about so many examples in total, evenly spaced over"
        " those of --eval_data_pattern and always the same; 0: all of them",
        at_least=0,
        group=VALIDATION,
    )
    eval_batch_size: int = setting(
        0,
        help="examples per validation batch; 0: as in training",
        at_least=0,
        may_change=True,
        group=VALIDATION,
        at_most=MOST_IN_A_BATCH,
    )
    eval_frames: int = setting(
        0,
        help=("number of evenly spaced frames per video in validation; 0: all"),
        at_least=0,
        group=FRAMES,
        at_most=MOST_FRAMES,
    )
    top_k: int = setting(
        20,
        help="number of labels per video that enter GAP and MAP",
        at_least=1,
        group=VALIDATION,
        at_most=MOST_BEST,
    )
    num_readers: int = setting(
        8,
        help="number of shards to read in parallel",
        at_least=1,
        may_change=True,
        group=DATA,
        at_most=1024,
    )
    cache: str = setting(
        "",
        help='keep the records for later epochs: "memory", or a local folder (for gs:// data)',
        may_change=True,
        group=DATA,
    )
    cache_dir: str = setting(
        "",
        help="local folder that keeps remote records for later epochs; processes of one machine may"
        " share it",
        may_change=True,
        group=DATA,
    )
    cache_gb: float = setting(
        0.0,
        help="gigabytes that --cache_dir may hold; what does not fit is not copied; 0: no limit",
        at_least=0,
        may_change=True,
        group=DATA,
        at_most=1e9,
    )
    # In a run that began before it recorded the defaults, 0 is 16384 at video level and 1024 at
    # frame level, and 8 shards were read together.
    shuffle_buffer: int = setting(
        0,
        help="number of records in the shuffle buffer; 0: 16384 at video level, 1024 at frame"
        " level; a resumed run keeps its own",
        at_least=0,
        group=DATA,
        at_most=10**7,
    )
    shuffle_shards: int = setting(
        8,
        flag_default=0,
        help="number of shards that are read together, for the shuffle; 0: 8; a resumed run keeps"
        " its own",
        at_least=0,
        group=DATA,
        at_most=10_000,
    )
    max_bad_records: int = setting(
        100,
        help="number of corrupt training records to skip before the run stops with an error",
        at_least=0,
        may_change=True,
        group=DATA,
    )
    checkpoint_minutes: float = setting(
        10.0,
        help="minutes between checkpoints; one is also written at the end of every epoch",
        at_least=0,
        may_change=True,
        group=SAVING,
        at_most=MINUTES,
    )
    export_model_steps: int = setting(
        0,
        help="steps between checkpoints, in addition to --checkpoint_minutes; 0: off",
        at_least=0,
        may_change=True,
        group=SAVING,
    )
    keep_checkpoints: int = setting(
        2,
        help="number of checkpoints to keep for resuming, in addition to the best model",
        at_least=1,
        may_change=True,
        group=SAVING,
    )
    progress_seconds: float = setting(
        10.0,
        help="seconds between progress lines",
        at_least=0,
        may_change=True,
        group=SAVING,
        at_most=SECONDS,
    )
