"""Training defaults of a model, which apply wherever no flag is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from yt8m.settings import MOST_FRAMES, MOST_IN_A_BATCH, setting

Schedule = Literal["cosine", "exponential", "exponential_continuous", "constant"]
FrameSampling = Literal["random", "contiguous", "spread"]

OPTIMIZATION = "Optimization (default: the model's own recipe)"
FRAMES = "Frames"
LOSS = "Loss and labels"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Defaults of one model; a flag takes precedence over each of them."""

    optimizer: str = setting(
        "Adam",
        help="Adam, AdamW, LAMB, SGD (momentum 0.9), Adagrad, Adadelta, Ftrl, GradientDescent, "
        "RMSprop, or any optimizer of tensorflow-addons where that is installed",
        group=OPTIMIZATION,
    )
    base_learning_rate: float = setting(
        0.001,
        help="learning rate at the end of the warm-up",
        at_least=0,
        common=True,
        group=OPTIMIZATION,
    )
    schedule: Schedule = setting(
        "cosine",
        help="learning rate schedule by examples seen: cosine (to zero at the last step),"
        " exponential (in steps), exponential_continuous (without steps), or constant",
        choices=Schedule,
        group=OPTIMIZATION,
    )
    learning_rate_decay: float = setting(
        0.95,
        help="decay factor of the two exponential schedules",
        group=OPTIMIZATION,
        at_least=0,
    )
    learning_rate_decay_examples: int = setting(
        4_000_000,
        help="examples after which the exponential schedules have applied the decay factor once",
        at_least=1,
        group=OPTIMIZATION,
        at_most=10**12,
    )
    warmup_examples: int = setting(
        0,
        help="length of the linear warm-up, in examples",
        at_least=0,
        group=OPTIMIZATION,
        at_most=10**12,
    )
    batch_size: int = setting(
        512,
        help="examples per step, over all replicas",
        at_least=1,
        common=True,
        group=OPTIMIZATION,
        at_most=MOST_IN_A_BATCH,
    )
    num_epochs: int = setting(
        5,
        help="passes over the training records",
        at_least=1,
        may_change=True,
        common=True,
        group=OPTIMIZATION,
    )
    least_steps: int = setting(
        0,
        help="fewest steps of a new run: unless --num_epochs or --max_steps is given, it takes more"
        " epochs where the recipe's are too few steps; 0: the recipe's epochs",
        at_least=0,
        group=OPTIMIZATION,
    )
    clip_gradient_norm: float = setting(
        1.0,
        help="maximum norm of each variable's gradient, applied after the all-reduce; 0: no limit",
        group=OPTIMIZATION,
        at_least=0,
    )
    global_clip_norm: float = setting(
        0.0,
        help="maximum norm of the whole gradient, applied after the all-reduce; 0: no limit",
        group=OPTIMIZATION,
        at_least=0,
    )
    weight_decay: float = setting(
        0.0, help="weight decay of AdamW and LAMB", at_least=0, group=OPTIMIZATION
    )
    weight_average: float = setting(
        0.0,
        help=(
            "decay of the moving average of the weights; the averaged weights are evaluated and"
            " saved; 0: off"
        ),
        at_least=0,
        at_most=1,
        group=OPTIMIZATION,
    )
    label_loss: str = setting(
        "CrossEntropyLoss",
        help="name of the loss; see --list_losses",
        group=OPTIMIZATION,
    )
    mixup: float = setting(
        0.0,
        help="alpha of mixup: train on mixtures of two videos and of their labels, with shares from"
        " Beta(alpha, alpha); 0: off",
        at_least=0,
        group=LOSS,
        at_most=1000,
    )
    train_frames: int = setting(
        0,
        help="frames sampled from each video in training; 0: all (default: the model's own recipe)",
        at_least=0,
        flag="iterations",
        group=FRAMES,
        at_most=MOST_FRAMES,
    )
    frame_sampling: FrameSampling = setting(
        "random",
        help="sample single frames at random, with replacement; --nosample_random_frames samples"
        " consecutive frames instead (default: the model's own recipe)",
        choices=FrameSampling,
        flag="sample_random_frames",
        switch=("contiguous", "random"),
        group=FRAMES,
    )

    def updated(self, values: Mapping[str, Any]) -> Recipe:
        """Return a copy in which every value that is not None replaces the default."""
        return dataclasses.replace(self, **{k: v for k, v in values.items() if v is not None})


# The starter code's values (youtube-8m at e6f6bf6), for --starter_defaults.
STARTER_RECIPE = Recipe(
    optimizer="Adam",
    base_learning_rate=0.01,
    schedule="exponential",
    batch_size=1024,
    num_epochs=5,
    clip_gradient_norm=1.0,
)
