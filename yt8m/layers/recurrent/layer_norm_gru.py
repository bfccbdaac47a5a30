"""The layer-normalised GRU cell of UTS' LN HGRU; Keras has none."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer


class LayerNormGruCell(Yt8mLayer):
    """A GRU cell for `tf.keras.layers.RNN` whose four products are normalised separately.

    z, r = split(σ(LN(h·U_zr) + LN(x·W_zr))), c = tanh(r ∘ LN(h·U_c) + LN(x·W_c)),
    h' = (1 − z) ∘ h + z ∘ c.

    Source: UTS §2.3.1c and its LNGRUCell (docs/sources.md#layer-normalised-gru). The 2·units
    numbers of a z, r vector are normalised jointly. There is no bias besides the offsets of the
    norms; U is orthonormal and W Glorot uniform.

    Args:
      units: width of the state.
      epsilon: added to the variance; our choice, because the source gives no value.

    Call: (x [B, D], [h [B, units]]) -> (h', [h']).
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
        """Create W [D, 3 · units], U [units, 3 · units], and gain and offset of the four norms."""
        width, u = int(input_shape[-1]), self.units
        self.w_zr = self.new_weight("w_zr", (width, 2 * u))
        self.w_c = self.new_weight("w_c", (width, u))
        self.u_zr = self.new_weight("u_zr", (u, 2 * u), "orthogonal")
        self.u_c = self.new_weight("u_c", (u, u), "orthogonal")
        # The first row is for the product with x, the second for that with h.
        self.gain_zr = self.new_weight("gain_zr", (2, 2 * u), "ones")
        self.offset_zr = self.new_weight("offset_zr", (2, 2 * u), "zeros")
        self.gain_c = self.new_weight("gain_c", (2, u), "ones")
        self.offset_c = self.new_weight("offset_c", (2, u), "zeros")
        self.built = True

    def _normalised(self, of_x: tf.Tensor, of_h: tf.Tensor, gain: Any, offset: Any) -> tf.Tensor:
        """Return both products, each normalised, as [2, B, n], by one chain of operations."""
        products = tf.cast(tf.stack([of_x, of_h]), tf.float32)
        centred = products - tf.reduce_mean(products, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        scale = tf.math.rsqrt(variance + self.epsilon)
        gain = tf.expand_dims(tf.cast(gain, tf.float32), 1)  # [2, 1, n]
        offset = tf.expand_dims(tf.cast(offset, tf.float32), 1)
        return centred * scale * gain + offset

    def call(self, x: tf.Tensor, states: Any) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the next state, as output and as state."""
        h = states[0] if isinstance(states, (list, tuple)) else states
        kernels = (self.w_zr, self.w_c, self.u_zr, self.u_c)
        w_zr, w_c, u_zr, u_c = (tf.cast(w, x.dtype) for w in kernels)
        from_x, from_h = tf.matmul(x, w_zr), tf.matmul(h, u_zr)
        both = self._normalised(from_x, from_h, self.gain_zr, self.offset_zr)
        z, r = tf.split(tf.sigmoid(tf.reduce_sum(both, axis=0)), 2, axis=-1)  # [B, units] each
        from_x, from_h = tf.matmul(x, w_c), tf.matmul(h, u_c)
        from_x, from_h = tf.unstack(self._normalised(from_x, from_h, self.gain_c, self.offset_c))
        c = tf.tanh(r * from_h + from_x)
        new = tf.cast((1.0 - z) * tf.cast(h, tf.float32) + z * c, h.dtype)  # [B, units]
        return new, [new]
