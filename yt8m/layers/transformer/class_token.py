"""A learned vector before the first frame, which gathers what describes the whole video."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer


class ClassToken(Yt8mLayer):
    """The frames with a learned vector before the first one.

    Source: Devlin et al. 2019; Dosovitskiy et al. 2021 (docs/sources.md#transformer).

    Call: x [B, T, W] -> [B, 1 + T, W].
    """

    def build(self, input_shape: Any) -> None:
        """Create the vector [W]."""
        small = tf.keras.initializers.RandomNormal(stddev=0.02)
        self.vector = self.new_weight("vector", (int(input_shape[-1]),), small)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the longer sequence."""
        vector = tf.cast(self.vector, x.dtype)[None, None, :]
        token = tf.broadcast_to(vector, [tf.shape(x)[0], 1, int(x.shape[-1])])
        return tf.concat([token, x], axis=1)
