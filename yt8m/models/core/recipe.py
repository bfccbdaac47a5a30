"""The training settings that a model is known to do best with; what a user gets who sets no flag."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Defaults of one model. A flag given on the command line wins over each of them.

    Attributes:
      optimizer: name known to `yt8m.training.optimizers`.
      base_learning_rate: at the end of the warm-up.
      schedule: "cosine" (to zero at the last step), "exponential" (a staircase), "exponential_continuous" or "constant".
      learning_rate_decay, learning_rate_decay_examples: of the exponential schedules.
      warmup_examples: linear warm-up from 0, counted in examples.
      batch_size: examples a step, over all replicas.
      num_epochs: passes over the training set.
      clip_gradient_norm: per variable, after the all-reduce; 0 is off.
      global_clip_norm: over all variables, after the all-reduce; 0 is off.
      weight_decay: of AdamW and LAMB.
      weight_average: decay of the averaged weights, with warm-up; 0 is off.
      label_loss: name known to `yt8m.losses`.
      train_frames: frames drawn a video in training; 0 keeps all.
      frame_sampling: "random" (independent, with replacement) or "contiguous".
    """

    optimizer: str = "Adam"
    base_learning_rate: float = 0.001
    schedule: str = "cosine"
    learning_rate_decay: float = 0.95
    learning_rate_decay_examples: int = 4_000_000
    warmup_examples: int = 0
    batch_size: int = 512
    num_epochs: int = 5
    clip_gradient_norm: float = 1.0
    global_clip_norm: float = 0.0
    weight_decay: float = 0.0
    weight_average: float = 0.0
    label_loss: str = "CrossEntropyLoss"
    train_frames: int = 0
    frame_sampling: str = "random"

    def updated(self, values: dict[str, Any | None]) -> Recipe:
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
