"""The starter code's deep bag of frames: a wide layer per frame, pooling, and a hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Union

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.normalized_dense import NormalizedDense
from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.layers.pooling.frames import FramePooling, PoolingMethod, SwapWeight
from yt8m.layers.pooling.normalized_maximum import normalized_maximum
from yt8m.models.core.base import FrameModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

# The activations that never decrease: a maximum may be taken before them.
_INCREASING = ("sigmoid", "relu", "relu6", "tanh", "linear", "elu", "selu", "softplus")

Pooling = Union[PoolingMethod, Literal["attention"]]


def make_pooling(method: Pooling, swap_weight: SwapWeight = "elementwise") -> tf.keras.layers.Layer:
    """Return the layer that pools frames by `method`; `swap_weight` applies only to "swap"."""
    if method == "attention":
        return AttentionPooling(name="pool")
    return FramePooling(method, swap_weight, name="pool")


@register("DbofModel")
class DbofModel(ChosenHead, FrameModel):
    """The deep bag of frames of the starter code.

    Source: starter code (docs/sources.md#starter-dbof). Training samples 30 random frames.
    Evaluation uses all frames, so that its scores do not change from run to run; the starter code
    samples there as well (docs/sources.md#sampling-frames).

    Args:
      cluster_size: width of the frame-level layer.
      hidden_size: width of the video-level layer.
      pooling_method: how the frames are pooled.
      activation: "sigmoid", "relu" or "relu6".
      add_batch_norm: batch normalisation after the input, and in place of each layer's bias.
    """

    recipe = Recipe(
        base_learning_rate=0.002,
        batch_size=128,
        num_epochs=8,
        train_frames=30,
        weight_average=0.999,
    )
    starter_flags = {
        "dbof_cluster_size": "cluster_size",
        "dbof_hidden_size": "hidden_size",
        "dbof_pooling_method": "pooling_method",
        "dbof_activation": "activation",
        "dbof_add_batch_norm": "add_batch_norm",
        "video_level_classifier_model": "head",
        "moe_num_mixtures": "num_mixtures",
    }
    starter_arguments = {"initial": "zeros"}
    starter_recipe = {"train_frames": 30}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cluster_size: int = 8192,
        hidden_size: int = 1024,
        pooling_method: Pooling = "max",
        activation: str = "sigmoid",
        add_batch_norm: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.norms = [batch_norm(f"norm_{i}") for i in range(3)] if add_batch_norm else []
        # The starter code's kernels are N(0, 1 / fan_in) and its biases N(0, deviation²).
        deviation = self.feature_size**-0.5
        wide = NormalizedDense if add_batch_norm else tf.keras.layers.Dense
        self.cluster = _fully_connected(cluster_size, add_batch_norm, deviation, "cluster", wide)
        self.activate = tf.keras.layers.Activation(activation)
        pools_first = pooling_method == "max" and activation in _INCREASING and add_batch_norm
        self.pool = None if pools_first else make_pooling(pooling_method)
        self.hidden = _fully_connected(hidden_size, add_batch_norm, 0.01, "hidden")
        self.head = self.make_head()

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self.hidden(self._pooled(x, mask, training))
        x = self.norms[2](x, training=training) if self.norms else x
        return self.head(self.activate(x))  # of [B, hidden]

    def _pooled(self, x: tf.Tensor, mask: tf.Tensor, training: Any) -> tf.Tensor:
        """Return the pooled activations of the wide layer, [B, cluster]."""
        if self.pool is None:
            before, after, _ = self.norms
            x = before(x, mask=mask, training=training, affine=False)
            signs = after.signs()
            x, shift = self.cluster(x, norm=before, signs=signs)
            x = self.activate(normalized_maximum(x, mask, after, training, signs, shift))
            return tf.where(tf.reduce_any(mask, axis=1)[:, None], x, tf.zeros_like(x))
        if not self.norms:
            return self.pool(self.activate(self.cluster(x)), mask=mask)
        before, after, _ = self.norms
        x = before(x, mask=mask, training=training, affine=False)
        x, shift = self.cluster(x, norm=before)  # [B, T, cluster]
        x = self.activate(after(x, mask=mask, training=training, shift=shift))
        return self.pool(x, mask=mask)


def _fully_connected(
    units: int,
    normalised: bool,
    bias_deviation: float,
    name: str,
    kind: Any = tf.keras.layers.Dense,
) -> tf.keras.layers.Dense:
    """Return a layer initialised as in the starter code; it has no bias if normalised."""
    kernel = tf.keras.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal")
    bias = tf.keras.initializers.RandomNormal(stddev=bias_deviation)
    return kind(
        units,
        use_bias=not normalised,
        kernel_initializer=kernel,
        bias_initializer=bias,
        name=name,
    )
