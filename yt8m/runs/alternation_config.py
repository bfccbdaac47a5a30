"""The settings of a run with `--trainer=alternating`, each a flag of the same name."""

from __future__ import annotations

import dataclasses

from yt8m.errors import UserError

VARIANTS = ("full", "baseline", "rprop", "large_moe")

# Field -> what its flag says.
HELP: dict[str, str] = {
    "alternation": "steps to take: full (1, then 2 and 3 in turn), baseline (1), rprop (1, 3), large_moe (1, 2)",
    "max_experts": "E_max, experts of a class at most in step 2",
    "expert_divisor": "q, training positives for each expert of a class; 0 gives every class --max_experts",
    "expert_rounding": "of positives / q: floor, ceil or round",
    "num_partitions": "parts into which step 2 splits the classes; the result does not depend on it",
    "partition_by": "how classes are dealt out: alike (neighbours in their number of experts), balanced, contiguous or round_robin",
    "step1_from": "folder of an earlier run of the same model whose joint training is taken as step 1",
    "step1_patience": "step 1 ends after so many epochs without a gain in validation GAP; 0: never",
    "step1_min_gain": "a GAP gain that counts in step 1",
    "step2_learning_rate": "of Adam in step 2",
    "step2_batch_size": "videos a step of Adam in step 2",
    "step2_schedule": "of step 2's learning rate: exponential (the paper's staircase), cosine over --step2_max_epochs, constant",
    "step2_decay": "factor of step 2's learning rate every 2.56 million videos, as in the paper's joint training",
    "step2_patience": "step 2 ends after so many epochs without a gain in validation GAP; 0: never",
    "step2_max_epochs": "passes of step 2 at most",
    "step3_optimizer": "irprop (iRProp+), gd (full-batch gradient descent), or adam (passes of mini-batches, a control)",
    "step3_initial_delta": "iRProp+'s first step of each weight",
    "step3_learning_rate": "of gd and adam in step 3",
    "step3_error_test": "iRProp+ undoes a step whose error rose; off where batches differ too much to compare",
    "step3_patience": "step 3 ends after so many iterations without a gain in validation GAP; 0: never",
    "step3_max_iterations": "iterations of step 3 at most",
    "batch_fraction": "part of the training set drawn for each gradient of step 3; 1 is all",
    "max_cycles": "times that steps 2 and 3 are repeated at most",
    "min_cycle_gain": "the alternation ends with a cycle that gains less GAP",
    "feature_dtype": "of the video-level features that step 2 keeps on disk: float32 or float16",
    "frame_network": "folder of a trained frame-level run: its frame network is kept, its pooled output stored once"
    " and only what follows is trained (video-level mode)",
    "executor": "where steps 2 and 3 compute: in_process, ray (a cluster on this machine), or the address of one",
    "task_minutes": "a worker of a cluster that is busy with one task for longer ends itself, and the task goes to another",
}
CHOICES = {
    "alternation": VARIANTS,
    "expert_rounding": ("floor", "ceil", "round"),
    "partition_by": ("alike", "balanced", "contiguous", "round_robin"),
    "step2_schedule": ("exponential", "cosine", "constant"),
    "step3_optimizer": ("irprop", "gd", "adam"),
    "feature_dtype": ("float32", "float16"),
}
# Float flag -> (what it must be above, what it may be at most), where not any number from 0 on will do.
_RANGES = {
    "step2_learning_rate": (0.0, None),
    "step2_decay": (0.0, 1.0),
    "step3_learning_rate": (0.0, None),
    "step3_initial_delta": (0.0, 10.0),  # iRProp+'s largest step (spec D.7)
    "batch_fraction": (0.0, 1.0),
    "task_minutes": (0.0, None),
}
# Least value of an integer flag, where that is not 0.
LEAST = {"max_experts": 1, "num_partitions": 1, "step2_batch_size": 1}


@dataclasses.dataclass(frozen=True)
class AlternationConfig:
    """Which steps are taken, how, and when each ends (spec D.4 to D.7; the stopping rules are D.5's, [NS] in the paper)."""

    alternation: str = "full"
    max_experts: int = 50
    expert_divisor: float = 3.0
    expert_rounding: str = "floor"
    num_partitions: int = 8
    partition_by: str = "alike"
    step1_from: str = ""
    step1_patience: int = 3
    step1_min_gain: float = 1e-4
    step2_learning_rate: float = 0.005
    step2_batch_size: int = 512
    step2_schedule: str = "exponential"
    step2_decay: float = 0.95
    step2_patience: int = 2
    step2_max_epochs: int = 10
    step3_optimizer: str = "irprop"
    step3_initial_delta: float = 1e-5
    step3_learning_rate: float = 0.001
    step3_error_test: bool = True
    step3_patience: int = 5
    step3_max_iterations: int = 45
    batch_fraction: float = 1.0
    max_cycles: int = 3
    min_cycle_gain: float = 5e-4
    feature_dtype: str = "float32"
    frame_network: str = ""
    executor: str = "in_process"
    task_minutes: float = 30.0

    def check(self) -> None:
        """Refuse values that some step could not work with, before the first begins.

        Raises:
          UserError: names the flag and what it may be.
        """
        for name, (above, most) in _RANGES.items():
            value = getattr(self, name)
            if not value > above or (most is not None and value > most):
                raise UserError(
                    f"--{name}={value:g} is not above {above:g}"
                    + (f" and at most {most:g}." if most is not None else ".")
                )
        if self.expert_divisor < 0:
            raise UserError(
                f"--expert_divisor={self.expert_divisor:g} is below 0; 0 gives every class --max_experts."
            )
        if self.step3_optimizer == "adam" and self.batch_fraction < 1:
            raise UserError(
                f"--batch_fraction={self.batch_fraction:g}: a pass of --step3_optimizer=adam is over all the data; drop one of the two."
            )
