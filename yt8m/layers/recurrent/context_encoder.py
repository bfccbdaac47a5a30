"""The context encoder: a GRU over the frames between two linear layers, what a frame means after those before it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.recurrent.cells import make_recurrent


@tf.keras.utils.register_keras_serializable(package="yt8m")
class ContextEncoder(tf.keras.layers.Layer):
    """ContextRNN(x) of UTS eq. 2: linear projection, GRU, linear projection (spec C.7).

    Args:
      cells: units of the GRU.
      projection_size: what a frame is projected to first.
      output_size: what each state is projected to; D, so that it can be added to the frames.
      dropout: rate on what goes into the GRU, in training.
      reset_after: see `make_recurrent`.

    Call: (x [B, T, D], mask=bool [B, T], true frames first and at least one, training) -> [B, T, output_size].
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
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost
        self.cells, self.projection_size, self.output_size = cells, projection_size, output_size
        self.dropout, self.reset_after = dropout, reset_after
        self.project_in = tf.keras.layers.Dense(projection_size, name="project_in")
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")
        self.gru = make_recurrent("gru", cells, reset_after, return_sequences=True, name="gru")
        self.project_out = tf.keras.layers.Dense(output_size, name="project_out")

    def build(self, input_shape: Any) -> None:
        """Make the three layers' weights."""
        self.project_in.build((None, None, int(input_shape[-1])))
        self.gru.build((None, None, self.projection_size))
        self.project_out.build((None, None, self.cells))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return each frame's context [B, T, output_size]."""
        x = self.drop(self.project_in(x), training=training)
        return self.project_out(self.gru(x, mask=mask, training=training))

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output: each layer is given its own."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("cells", "projection_size", "output_size", "dropout", "reset_after")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}
