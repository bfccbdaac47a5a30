"""1D ResNet-50: residual convolutions over time, with the features as channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.residual_1d import Bottleneck1D, ConvNorm1D, max_pool
from yt8m.models.core.arguments import Integers, integers
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

Pool = Literal["valid", "all"]


@register("ResNet1dModel", "ResNet1D")
class ResNet1dModel(FrameModel):
    """1D ResNet-50 over the frames, averaged over time, with a logistic head.

    Source: UTS §2.3.3 and §3.2, Table 4 (docs/sources.md#1d-resnet). The layers shorten a video of
    300 frames to 150, 75, 75, 38, 19 and 10 positions. The paper's channels are taken as the width
    of each stage's output; as the width inside its bottlenecks they would make a billion weights.
    Its 1,536 input channels do not match the features, so the width of the features is used
    (docs/sources.md#1d-resnet). The paper's settings are --optimizer=SGD --base_learning_rate=0.1
    --schedule=exponential --learning_rate_decay=0.1 --learning_rate_decay_examples=10000000
    (momentum 0.9).

    Args:
      first_width: channels of the first convolution (kernel 7, stride 2).
      widths: output channels of each stage.
      blocks: number of bottlenecks of each stage.
      pool: "valid" averages over the true positions. "all" averages over all positions, of which
        the padded ones are zero, for videos padded to one length as in the paper; predictions then
        depend on that length.
      l2: weight decay of the kernels of the convolutions.
      initial: "priors" lets `initialize_from_priors` start the head at the label frequencies;
        "zeros" starts its biases at zero.

    Raises:
      ValueError: `widths` and `blocks` do not have the same length, or `pool` is not a choice.
    """

    recipe = Recipe(
        optimizer="SGD",
        base_learning_rate=0.1,
        batch_size=128,
        num_epochs=8,
        clip_gradient_norm=0.0,
        global_clip_norm=5.0,
        weight_average=0.999,
    )

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        first_width: int = 512,
        widths: Integers = (512, 1024, 2048, 4096),
        blocks: Integers = (3, 4, 6, 3),
        pool: Pool = "valid",
        l2: float = 1e-4,
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        widths, blocks = integers(widths, "widths"), integers(blocks, "blocks")
        if len(widths) != len(blocks):
            raise ValueError(
                f"widths and blocks must have one number per stage each, not {widths} and {blocks}"
            )
        self.record_arguments(widths=widths, blocks=blocks)
        self.pool = one_of("pool", pool, Pool)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.first = ConvNorm1D(first_width, 7, 2, l2=l2, name="first")
        self.stages = [
            Bottleneck1D(width, 2 if stage and not block else 1, l2, name=f"stage_{stage}_{block}")
            for stage, (width, count) in enumerate(zip(widths, blocks))
            for block in range(count)
        ]
        # The residual sums have no fixed scale: Glorot's kernel would drown out the priors.
        self.head = LogisticHead(num_classes, initial=initial, kernel_scale=0.01, name="head")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, _ = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])  # [B, T, D]
        counts = tf.minimum(tf.cast(inputs["num_frames"], tf.int32), tf.shape(x)[1])
        x, counts = self.first(x, counts=counts, training=training)  # [B, T/2, first_width]
        x, counts = max_pool(x, counts)  # [B, T/4, first_width]
        for block in self.stages:
            x, counts = block(x, counts=counts, training=training)
        if self.pool == "all":
            counts = tf.fill(tf.shape(counts), tf.shape(x)[1])
        total = tf.reduce_sum(tf.cast(x, tf.float32), axis=1)  # [B, D']; padded positions are zero
        mean = tf.math.divide_no_nan(total, tf.cast(counts, tf.float32)[:, None])
        return self.head(tf.cast(mean, x.dtype))
