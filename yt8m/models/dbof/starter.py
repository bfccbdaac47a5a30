"""The starter code's deep bag of frames: a wide layer per frame, pooling, and a hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Union

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.layers.pooling.frames import FramePooling, PoolingMethod, SwapWeight
from yt8m.models.core.base import FrameModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

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
        self.cluster = _fully_connected(cluster_size, add_batch_norm, deviation, "cluster")
        self.activate = tf.keras.layers.Activation(activation)
        self.pool = make_pooling(pooling_method)
        self.hidden = _fully_connected(hidden_size, add_batch_norm, 0.01, "hidden")
        self.head = self.make_head()

    def _norm(self, index: int, x: tf.Tensor, mask: Any, training: Any) -> tf.Tensor:
        return self.norms[index](x, mask=mask, training=training) if self.norms else x

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self._norm(0, x, mask, training)
        x = self.activate(self._norm(1, self.cluster(x), mask, training))  # [B, T, cluster]
        x = self.pool(x, mask=mask)
        x = self.activate(self._norm(2, self.hidden(x), None, training))  # [B, hidden]
        return self.head(x)


def _fully_connected(
    units: int, normalised: bool, bias_deviation: float, name: str
) -> tf.keras.layers.Dense:
    """Return a layer initialised as in the starter code; it has no bias if normalised."""
    kernel = tf.keras.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal")
    bias = tf.keras.initializers.RandomNormal(stddev=bias_deviation)
    return tf.keras.layers.Dense(
        units,
        use_bias=not normalised,
        kernel_initializer=kernel,
        bias_initializer=bias,
        name=name,
    )
