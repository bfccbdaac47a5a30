"""The context encoder: a GRU between two linear layers, which represents a frame in its context."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.recurrent.cells import make_recurrent


class ContextEncoder(Yt8mLayer):
    """ContextRNN(x) of UTS eq. 2: linear projection, GRU, linear projection.

    Source: docs/sources.md#context-encoder.

    Args:
      cells: units of the GRU.
      projection_size: width of the first projection.
      output_size: width of the second projection; D where it is added to the frames.
      dropout: rate on the input of the GRU, in training.
      reset_after: see `make_recurrent`.

    Call: (x [B, T, D], mask=bool [B, T] with the true frames first and at least one of them,
    training) -> [B, T, output_size].
    """

    def __init__(
        self,
        cells: int = 1024,
        projection_size: int = 1024,
        output_size: int = 1152,
        dropout: float = 0.0,
        reset_after: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.cells, self.projection_size, self.output_size = cells, projection_size, output_size
        self.project_in = tf.keras.layers.Dense(projection_size, name="project_in")
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")
        self.gru = make_recurrent("gru", cells, reset_after, return_sequences=True, name="gru")
        self.project_out = tf.keras.layers.Dense(output_size, name="project_out")

    def build(self, input_shape: Any) -> None:
        """Create the weights of the three layers."""
        self.project_in.build((None, None, int(input_shape[-1])))
        self.gru.build((None, None, self.projection_size))
        self.project_out.build((None, None, self.cells))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return each frame's context [B, T, output_size]."""
        x = self.drop(self.project_in(x), training=training)
        return self.project_out(self.gru(x, mask=mask, training=training))
