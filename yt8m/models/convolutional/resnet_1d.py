"""1D ResNet-50: residual convolutions over time, with the features as channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.residual_1d import Bottleneck1D, ConvNorm1D, max_pool
from yt8m.models.core.arguments import as_text, integers
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

POOLS = ("valid", "all")


@register("ResNet1dModel", "ResNet1D")
class ResNet1dModel(FrameModel):
    """1D ResNet-50 over the frames, averaged over time, with a logistic head.

    Source: UTS §2.3.3 and §3.2, Table 4 (spec C.12). A video of 300 frames is 300, 150, 75, 75, 38, 19, 10
    positions long on its way. The paper's channels are read as the width that a stage puts out; read as the
    width inside its bottlenecks, there would be a billion weights. Its 1,536 input channels do not fit the
    features, whose own width is taken (trap E-6). The paper's recipe: --optimizer=SGD --base_learning_rate=0.1
    --schedule=exponential --learning_rate_decay=0.1 --learning_rate_decay_examples=10000000 (momentum 0.9; trap E-17).

    Args:
      first_width: channels of the first convolution (kernel 7, stride 2).
      widths: channels that each stage puts out.
      blocks: bottlenecks of each stage.
      pool: average over the "valid" positions, or over "all", where the padding counts as zeros: for videos
        padded to one length, as in the paper; predictions then depend on that length.
      l2: weight decay of the convolutions' kernels.
      initial: of the head.
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
        widths: str | Sequence[int] = (512, 1024, 2048, 4096),
        blocks: str | Sequence[int] = (3, 4, 6, 3),
        pool: str = "valid",
        l2: float = 1e-4,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        if pool not in POOLS:
            raise ValueError(f"pool is one of {', '.join(POOLS)}, not {pool!r}")
        self.first_width, self.pool, self.l2, self.initial = int(first_width), pool, l2, initial
        self._widths, self._blocks = (
            as_text(integers(widths, "widths")),
            as_text(integers(blocks, "blocks")),
        )
        if len(self.widths) != len(self.blocks):
            raise ValueError(
                f"widths and blocks are one number a stage each, not {self.widths} and {self.blocks}"
            )
        self.dequantize = DequantizeFrames(self.input_norm)
        self.first = ConvNorm1D(self.first_width, 7, 2, l2=l2, name="first")
        self.stages = [
            Bottleneck1D(width, 2 if stage and not block else 1, l2, name=f"stage_{stage}_{block}")
            for stage, (width, count) in enumerate(zip(self.widths, self.blocks))
            for block in range(count)
        ]
        # The residual sums have no fixed size: Glorot's kernel would drown the priors.
        self.head = LogisticHead(num_classes, initial=initial, kernel_scale=0.01, name="head")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels that each stage puts out."""
        return integers(self._widths, "widths")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Bottlenecks of each stage."""
        return integers(self._blocks, "blocks")

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

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("first_width", "pool", "l2", "initial")
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "widths": list(self.widths),
            "blocks": list(self.blocks),
        }
