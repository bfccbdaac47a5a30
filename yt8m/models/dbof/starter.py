"""Deep bag of frames, as the starter code has it: each frame through a wide layer, pooled, then a video-level layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.layers.pooling.frames import FramePooling
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register


def make_pooling(method: str, swap_weight: str = "elementwise") -> tf.keras.layers.Layer:
    """Return the pooling called `method`: average, max, l2, swap or attention; `swap_weight` is of swap alone."""
    return (
        AttentionPooling(name="pool")
        if method == "attention"
        else FramePooling(method, swap_weight, name="pool")
    )


@register("DbofModel")
class DbofModel(FrameModel):
    """Deep bag of frames, the starter code's.

    Source: starter code (spec A.12). Training draws 30 random frames; evaluation uses all, so its
    scores do not change from run to run (the starter code samples there too, trap E-44).

    Args:
      cluster_size: width of the frame-level layer.
      hidden_size: width of the video-level layer.
      pooling_method: "max", "average", "l2", "swap" or "attention".
      activation: "sigmoid", "relu" or "relu6".
      add_batch_norm: after the input and after each layer, in place of their biases.
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class.
      initial: of the head.
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
        pooling_method: str = "max",
        activation: str = "sigmoid",
        add_batch_norm: bool = True,
        head: str = "moe",
        num_mixtures: int = 2,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.cluster_size, self.hidden_size, self.pooling_method = (
            cluster_size,
            hidden_size,
            pooling_method,
        )
        self.activation, self.add_batch_norm = activation, add_batch_norm
        self.head_name, self.num_mixtures, self.initial = head, num_mixtures, initial
        self.dequantize = DequantizeFrames(self.input_norm)
        self.norms = [batch_norm(f"norm_{i}") for i in range(3)] if add_batch_norm else []
        self.cluster = _fully_connected(
            cluster_size, add_batch_norm, self.feature_size**-0.5, "cluster"
        )
        self.activate = tf.keras.layers.Activation(activation)
        self.pool = make_pooling(pooling_method)
        self.hidden = _fully_connected(hidden_size, add_batch_norm, 0.01, "hidden")
        self.head = make_head(head, num_classes, num_mixtures, initial)

    def _norm(self, index: int, x: tf.Tensor, mask: Any, training: Any) -> tf.Tensor:
        return self.norms[index](x, mask=mask, training=training) if self.add_batch_norm else x

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self._norm(0, x, mask, training)
        x = self.activate(self._norm(1, self.cluster(x), mask, training))  # [B, T, cluster]
        x = self.pool(x, mask=mask)
        x = self.activate(self._norm(2, self.hidden(x), None, training))  # [B, hidden]
        return self.head(x)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "cluster_size",
            "hidden_size",
            "pooling_method",
            "activation",
            "add_batch_norm",
            "num_mixtures",
            "initial",
        )
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "head": self.head_name,
        }


def _fully_connected(
    units: int, normalised: bool, bias_deviation: float, name: str
) -> tf.keras.layers.Dense:
    """Return a layer that starts as the starter code's: kernel N(0, 1 / fan_in), and a bias N(0, deviation²) where no norm follows."""
    return tf.keras.layers.Dense(
        units,
        use_bias=not normalised,
        kernel_initializer=tf.keras.initializers.VarianceScaling(
            1.0, "fan_in", "untruncated_normal"
        ),
        bias_initializer=tf.keras.initializers.RandomNormal(stddev=bias_deviation),
        name=name,
    )
