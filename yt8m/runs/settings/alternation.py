"""Settings of a run with `--trainer=alternating`, each a flag of the same name."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from yt8m.errors import UserError
from yt8m.settings import MINUTES, MOST_IN_A_BATCH, check, setting

Variant = Literal["full", "baseline", "rprop", "large_moe"]
Rounding = Literal["floor", "ceil", "round"]
Partitioning = Literal["alike", "balanced", "contiguous", "round_robin"]
Step2Schedule = Literal["exponential", "cosine", "constant"]
Step3Optimizer = Literal["irprop", "gd", "adam"]
FeatureDtype = Literal["float32", "float16"]

MOST_PARTITIONS = 10_000
GROUP = "Alternating training (only with --trainer=alternating)"


def _setting(default: Any, help: str, **more: Any) -> Any:
    return setting(default, help=help, group=GROUP, **more)


@dataclasses.dataclass(frozen=True)
class AlternationConfig:
    """Which steps are taken, how they are taken, and when each ends.

    Source: docs/sources.md#alternation, docs/sources.md#adaptive-experts and
    docs/sources.md#full-batch-gradient. The paper states no stopping rules; ours are in
    docs/sources.md#stopping-rules.
    """

    alternation: Variant = _setting(
        "full",
        "steps to take: full (1, then 2 and 3 in turn), baseline (1), rprop (1, 3), large_moe (1, "
        "2)",
        choices=Variant,
    )
    max_experts: int = _setting(
        50,
        "maximum number of experts per class in step 2 (E_max)",
        at_least=1,
        at_most=10_000,
    )
    expert_divisor: float = _setting(
        3.0,
        "training positives per expert of a class (q); 0 gives every class --max_experts",
        at_least=0,
    )
    expert_rounding: Rounding = _setting(
        "floor",
        ("how positives / q is turned into a whole number: floor, ceil or round"),
        choices=Rounding,
    )
    num_partitions: int = _setting(
        0,
        "number of parts into which step 2 splits the classes, each the work of one task; it"
        " changes results by rounding. 0: the smallest multiple of the number of workers whose"
        " parts fit into a worker's memory",
        at_least=0,
        at_most=MOST_PARTITIONS,
    )
    partition_by: Partitioning = _setting(
        "alike",
        "how classes are assigned to parts: alike (by number of experts), balanced, contiguous or "
        "round_robin",
        choices=Partitioning,
    )
    step1_from: str = _setting(
        "", "folder of an earlier run of the same model, whose joint training becomes step 1"
    )
    step1_patience: int = _setting(
        3,
        "step 1 ends after this many epochs without a gain in validation GAP; 0: never",
        at_least=0,
    )
    step1_min_gain: float = _setting(
        1e-4, "smallest increase in GAP that counts as a gain in step 1", at_least=0
    )
    step2_learning_rate: float = _setting(0.005, "learning rate of Adam in step 2", above=0)
    step2_batch_size: int = _setting(
        512,
        "videos per step of Adam in step 2",
        at_least=1,
        at_most=MOST_IN_A_BATCH,
    )
    step2_schedule: Step2Schedule = _setting(
        "exponential",
        "learning rate schedule of step 2: exponential (the paper's staircase), cosine over "
        "--step2_max_epochs, constant",
        choices=Step2Schedule,
    )
    step2_decay: float = _setting(
        0.95,
        "factor applied to step 2's learning rate every 2.56 million videos, as in the paper's"
        " joint training",
        above=0,
        at_most=1,
    )
    step2_patience: int = _setting(
        2,
        "step 2 ends after this many epochs without a gain in validation GAP; 0: never",
        at_least=0,
    )
    step2_max_epochs: int = _setting(10, "maximum number of epochs of step 2", at_least=0)
    step3_optimizer: Step3Optimizer = _setting(
        "irprop",
        "irprop (iRProp+), gd (full-batch gradient descent), or adam (epochs of mini-batches, as "
        "a control)",
        choices=Step3Optimizer,
    )
    step3_initial_delta: float = _setting(
        1e-5,
        "first step size of each weight in iRProp+",
        above=0,
        at_most=10,  # iRProp+'s largest step (docs/sources.md#irprop)
    )
    step3_learning_rate: float = _setting(0.001, "learning rate of gd and adam in step 3", above=0)
    step3_error_test: bool = _setting(
        True,
        "let iRProp+ undo a step that raised the loss; turn this off if batches differ too much"
        " to be compared",
    )
    step3_patience: int = _setting(
        5,
        "step 3 ends after this many iterations without a gain in validation GAP; 0: never",
        at_least=0,
    )
    step3_max_iterations: int = _setting(45, "maximum number of iterations of step 3", at_least=0)
    step3_batch_size: int = _setting(
        0,
        "videos that a worker of step 3 computes together, which decides its memory and changes"
        " results by rounding; 0: --batch_size, or as many as fit into a worker's memory",
        at_least=0,
        at_most=MOST_IN_A_BATCH,
    )
    batch_fraction: float = _setting(
        1.0,
        "fraction of the training set that is drawn for each gradient of step 3; 1: all of it",
        above=0,
        at_most=1,
    )
    max_cycles: int = _setting(3, "maximum number of cycles of steps 2 and 3", at_least=0)
    min_cycle_gain: float = _setting(
        5e-4,
        ("the alternation ends after a cycle whose gain in GAP is smaller than this"),
        at_least=0,
    )
    feature_dtype: FeatureDtype = _setting(
        "float32", "data type of the video-level features that step 2 stores", choices=FeatureDtype
    )
    frame_network: str = _setting(
        "",
        "folder of a trained frame-level run, whose frame network is kept: its pooled output is"
        " stored once, and only the layers after it are trained (video-level mode)",
    )
    executor: str = _setting(
        "in_process",
        "where steps 2 and 3 run: in_process, ray (a cluster on this machine), or the address of"
        " a Ray cluster",
        may_change=True,
    )
    task_mb: float = _setting(
        0.0,
        "megabytes of records that one task of step 3 reads; its sums, to the last digit, depend on"
        " it. 0: a 10,000th of the data, but at least 8 and at most 512",
        at_least=0,
        at_most=1e6,
    )
    task_minutes: float = _setting(
        30.0,
        "time that a task on a cluster may take from one batch to the next: a worker that makes no"
        " progress for longer is ended, and another one repeats the task",
        above=0,
        may_change=True,
        at_most=MINUTES,
    )

    shared_store: str = _setting(
        "",
        "where the workers of step 2 leave what they share, in place of --train_dir: an address"
        " such as s3://bucket/folder, which every node reaches, or a folder that all nodes share",
        may_change=True,
    )
    shared_store_cache_gb: float = _setting(
        100.0,
        "gigabytes that each node keeps, below TMPDIR, as copies of what is in --shared_store",
        above=0,
        may_change=True,
        at_most=1e6,
    )

    def check(self) -> None:
        """Refuse values that some step could not use, before the first step begins.

        Raises:
          UserError: names the flag and what it may be.
        """
        check(self)
        if self.step3_optimizer == "adam" and self.step3_batch_size:
            raise UserError(
                f"--step3_batch_size={self.step3_batch_size} cannot be combined with"
                " --step3_optimizer=adam, whose steps take --batch_size; drop one of the two."
            )
        if self.shared_store and self.frame_network:
            raise UserError(
                "--shared_store is for the features of step 2, but --frame_network stores its"
                " pooled records in --train_dir, which every node must see; drop one of the two."
            )
        if self.step3_optimizer == "adam" and self.batch_fraction < 1:
            raise UserError(
                f"--batch_fraction={self.batch_fraction:g} cannot be combined with"
                " --step3_optimizer=adam, whose epochs cover all of the data; drop one of the two."
            )
