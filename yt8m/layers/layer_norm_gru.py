"""The layer-normalised GRU cell of UTS' LN HGRU; Keras has none."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

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
        self.w_zr = self.add_weight(name="w_zr", shape=(width, 2 * u), initializer="glorot_uniform", trainable=True)
        self.w_c = self.add_weight(name="w_c", shape=(width, u), initializer="glorot_uniform", trainable=True)
        self.u_zr = self.add_weight(name="u_zr", shape=(u, 2 * u), initializer="orthogonal", trainable=True)
        self.u_c = self.add_weight(name="u_c", shape=(u, u), initializer="orthogonal", trainable=True)
        # Rows: of x's product, of h's product.
        self.gain_zr = self.add_weight(name="gain_zr", shape=(2, 2 * u), initializer="ones", trainable=True)
        self.offset_zr = self.add_weight(name="offset_zr", shape=(2, 2 * u), initializer="zeros", trainable=True)
        self.gain_c = self.add_weight(name="gain_c", shape=(2, u), initializer="ones", trainable=True)
        self.offset_c = self.add_weight(name="offset_c", shape=(2, u), initializer="zeros", trainable=True)
        self.built = True

    def _normalised(self, x: tf.Tensor, kernel: Any, gain: Any, offset: Any, row: int) -> tf.Tensor:
        product = tf.cast(tf.matmul(x, tf.cast(kernel, x.dtype)), tf.float32)
        mean, variance = tf.nn.moments(product, axes=[-1], keepdims=True)
        gain, offset = tf.cast(gain, tf.float32)[row], tf.cast(offset, tf.float32)[row]
        return (product - mean) * tf.math.rsqrt(variance + self.epsilon) * gain + offset

    def call(self, x: tf.Tensor, states: Sequence[tf.Tensor]) -> Tuple[tf.Tensor, List[tf.Tensor]]:
        """Return the next state, as output and as state."""
        h = states[0] if isinstance(states, (list, tuple)) else states
        gates = tf.sigmoid(
            self._normalised(h, self.u_zr, self.gain_zr, self.offset_zr, 1)
            + self._normalised(x, self.w_zr, self.gain_zr, self.offset_zr, 0)
        )
        z, r = tf.split(gates, 2, axis=-1)  # [B, units] each
        c = tf.tanh(
            r * self._normalised(h, self.u_c, self.gain_c, self.offset_c, 1)
            + self._normalised(x, self.w_c, self.gain_c, self.offset_c, 0)
        )
        new = tf.cast((1.0 - z) * tf.cast(h, tf.float32) + z * c, h.dtype)  # [B, units]
        return new, [new]

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "units": self.units, "epsilon": self.epsilon}
