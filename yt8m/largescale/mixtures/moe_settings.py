"""Settings for training the partitions of a large mixture."""

from __future__ import annotations

import dataclasses

from yt8m.errors import UserError
from yt8m.losses import registry as losses
from yt8m.models.core.recipe import Recipe
from yt8m.runs.settings.training import Dtype


@dataclasses.dataclass(frozen=True)
class MoeSettings:
    """Settings that are the same for all partitions.

    Attributes:
      recipe: optimizer (Adam), learning rates, batch size, epochs and loss. `clip_gradient_norm`
        limits the gradient of each class separately.
      max_steps: the number of steps after which to stop; 0 is no limit.
      seed: decides the initial weights and the order of the data.
      dtype: the type of the matrix products, "float32" or "bfloat16"; weights are float32.
      l2: the weight of Σw²/2 over the kernels.
      initial: "priors" starts the experts' biases from the label frequencies, as in
        `MixtureOfExperts`.
      glorot_classes: the number of classes of the layer whose initial scale is used; 0 means all
        classes of the store.
      checkpoint_seconds: how often a partition in training is saved; 0 is never.
      checkpoint_steps: the same in steps; 0 is never.
    """

    recipe: Recipe
    max_steps: int = 0
    seed: int = 0
    dtype: Dtype = "float32"
    l2: float = 1e-8
    initial: str = "priors"
    glorot_classes: int = 0
    checkpoint_seconds: float = 600.0
    checkpoint_steps: int = 0

    def check(self) -> None:
        """Refuse settings that would couple classes, and those that partitions do not have.

        Raises:
          UserError: names the flag.
        """
        recipe = self.recipe
        if recipe.optimizer.lower() not in ("adam", "adamoptimizer"):
            raise UserError(
                f"--optimizer={recipe.optimizer}: partitions are trained with Adam; drop the flag,"
                " or use --trainer=joint."
            )
        if recipe.global_clip_norm:
            raise UserError(
                "--global_clip_norm couples all classes, which are trained separately; use"
                " --clip_gradient_norm, which applies to each class here."
            )
        losses.check_by_class(recipe.label_loss)
        if recipe.weight_average:
            raise UserError(
                "--weight_average does not work for classes that are trained separately; drop it,"
                " or use --trainer=joint."
            )

    def steps(self, num_examples: int) -> tuple[int, int]:
        """Return (steps of an epoch, steps in total) over `num_examples`.

        Raises:
          UserError: there are fewer examples than in a batch.
        """
        each = num_examples // self.recipe.batch_size
        if not each:
            raise UserError(
                f"--batch_size={self.recipe.batch_size} is larger than the number of training"
                f" records, {num_examples}; lower it."
            )
        total = each * self.recipe.num_epochs
        return each, min(total, self.max_steps) if self.max_steps else total
