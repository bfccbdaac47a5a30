"""The layer-normalised GRU cell of UTS' LN HGRU; Keras has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="yt8m")
class LayerNormGruCell(tf.keras.layers.Layer):
    """A GRU whose four products are normalised, each by itself.

    z, r = split(σ(LN(h·U_zr) + LN(x·W_zr))), c = tanh(r ∘ LN(h·U_c) + LN(x·W_c)), h' = (1 − z) ∘ h + z ∘ c.
    Source: UTS §2.3.1c and its LNGRUCell (spec C.9). The 2·units numbers of a z,r vector are normalised
    jointly; no bias but LN's offsets; U orthonormal, W Glorot uniform. Give it to `tf.keras.layers.RNN`.

    Args:
      units: of the state.
      epsilon: added to the variance; ours, the source does not say.

    Call: x [B, D] and a list of h [B, units] -> (h', [h']).
    """

    def __init__(self, units: int, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.epsilon = int(units), epsilon

    @property
    def state_size(self) -> int:
        """Width of the state."""
        return self.units

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self.units

    def build(self, input_shape: Any) -> None:
        """Make W [D, 3 · units], U [units, 3 · units], and gain and offset of each of the four norms."""
        width, u = int(input_shape[-1]), self.units
        self.w_zr = self.add_weight(
            name="w_zr", shape=(width, 2 * u), initializer="glorot_uniform", trainable=True
        )
        self.w_c = self.add_weight(
            name="w_c", shape=(width, u), initializer="glorot_uniform", trainable=True
        )
        self.u_zr = self.add_weight(
            name="u_zr", shape=(u, 2 * u), initializer="orthogonal", trainable=True
        )
        self.u_c = self.add_weight(
            name="u_c", shape=(u, u), initializer="orthogonal", trainable=True
        )
        # Rows: of x's product, of h's product.
        self.gain_zr = self.add_weight(
            name="gain_zr", shape=(2, 2 * u), initializer="ones", trainable=True
        )
        self.offset_zr = self.add_weight(
            name="offset_zr", shape=(2, 2 * u), initializer="zeros", trainable=True
        )
        self.gain_c = self.add_weight(
            name="gain_c", shape=(2, u), initializer="ones", trainable=True
        )
        self.offset_c = self.add_weight(
            name="offset_c", shape=(2, u), initializer="zeros", trainable=True
        )
        self.built = True

    def _normalised(self, of_x: tf.Tensor, of_h: tf.Tensor, gain: Any, offset: Any) -> tf.Tensor:
        """Return both products, each normalised: [2, B, n], x's first. One chain of operations serves both."""
        products = tf.cast(tf.stack([of_x, of_h]), tf.float32)
        centred = products - tf.reduce_mean(products, axis=-1, keepdims=True)
        scale = tf.math.rsqrt(
            tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True) + self.epsilon
        )
        gain, offset = (
            tf.expand_dims(tf.cast(w, tf.float32), 1) for w in (gain, offset)
        )  # [2, 1, n]
        return centred * scale * gain + offset

    def call(self, x: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the next state, as output and as state."""
        h = states[0] if isinstance(states, (list, tuple)) else states
        w_zr, w_c, u_zr, u_c = (
            tf.cast(w, x.dtype) for w in (self.w_zr, self.w_c, self.u_zr, self.u_c)
        )
        both = self._normalised(
            tf.matmul(x, w_zr), tf.matmul(h, u_zr), self.gain_zr, self.offset_zr
        )
        z, r = tf.split(tf.sigmoid(tf.reduce_sum(both, axis=0)), 2, axis=-1)  # [B, units] each
        of_x, of_h = tf.unstack(
            self._normalised(tf.matmul(x, w_c), tf.matmul(h, u_c), self.gain_c, self.offset_c)
        )
        c = tf.tanh(r * of_h + of_x)
        new = tf.cast((1.0 - z) * tf.cast(h, tf.float32) + z * c, h.dtype)  # [B, units]
        return new, [new]

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "units": self.units, "epsilon": self.epsilon}
