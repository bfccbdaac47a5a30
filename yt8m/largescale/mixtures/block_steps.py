"""One training step of all blocks of a partition of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.largescale.mixtures.mixture_block import MixtureBlock, cut, training_step
from yt8m.largescale.mixtures.moe_settings import MoeSettings


class BlockSteps:
    """The blocks of some classes, and a step of Adam for each of them.

    Args:
      classes: labels [C].
      num_mixtures: the number of experts of each of them, [C].
      width: D.
      settings: the same for every partition.

    Attributes:
      blocks: in the order of the columns of the labels that a step takes.
    """

    def __init__(
        self,
        classes: Sequence[int],
        num_mixtures: Sequence[int],
        width: int,
        settings: MoeSettings,
    ):
        recipe = settings.recipe
        self.blocks = [
            MixtureBlock(together, k, width)
            for k, together in cut(classes, num_mixtures, width, recipe.batch_size)
        ]
        self._steps = [
            training_step(
                recipe.label_loss, settings.l2, recipe.clip_gradient_norm, b.class_major, b.shapes
            )
            for b in self.blocks
        ]

    def __call__(
        self, x: tf.Tensor, labels: Any, rate: tf.Tensor, powers: tf.Tensor, total: tf.Variable
    ) -> None:
        """Take one step of every block.

        Args:
          x: features [B, D] in the type of the matrix products.
          labels: [B, C], an array or a tensor.
          rate: the learning rate.
          powers: [2], Adam's two decays to the power of the number of steps, this one included.
          total: the sum to which each block adds its mean loss.
        """
        column = 0
        for block, take_step in zip(self.blocks, self._steps):
            y = tf.convert_to_tensor(labels[:, column : column + len(block.classes)])
            take_step(x, y, block.weights, block.moments, rate, powers[0], powers[1], total)
            column += len(block.classes)
