"""The layer-normalised GRU cell of UTS' LN HGRU; Keras has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.recurrent.looped import Recurrence
from yt8m.layers.recurrent.scan import Product, product_with, state_dtype


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
        products = tf.stack([of_x, of_h])
        centred = products - tf.reduce_mean(products, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        scale = tf.math.rsqrt(variance + self.epsilon)
        return centred * scale * gain[:, None] + offset[:, None]  # the gain is [2, 1, n] here

    def recurrence(self) -> Recurrence:
        """Return the equations of the cell."""
        kernel = tf.concat([self.w_zr, self.w_c], axis=-1)
        norms = [self.gain_zr, self.offset_zr, self.gain_c, self.offset_c]
        return Recurrence(kernel, None, self._step, [self.u_zr, self.u_c], norms)

    def _step(
        self, x: tf.Tensor, states: Sequence[tf.Tensor], products: Sequence[Product], norms: Any
    ) -> list[tf.Tensor]:
        (h,), n = states, 2 * self.units
        zr = self._normalised(x[:, :n], products[0](h), *norms[:2])
        z, r = tf.split(tf.sigmoid(tf.reduce_sum(zr, axis=0)), 2, axis=-1)  # [B, units] each
        from_x, from_h = tf.unstack(self._normalised(x[:, n:], products[1](h), *norms[2:]))
        c = tf.tanh(r * from_h + from_x)
        return [(1.0 - z) * h + z * c]

    def call(self, x: tf.Tensor, states: Any) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the next state, as output and as state."""
        h = states[0] if isinstance(states, (list, tuple)) else states
        kernel, _, step, kernels, norms, _ = self.recurrence()
        products = [product_with(tf.cast(u, x.dtype)) for u in kernels]
        wide = state_dtype(x.dtype)
        fed = tf.cast(tf.matmul(x, tf.cast(kernel, x.dtype)), wide)
        norms = [tf.cast(norm, wide) for norm in norms]
        new = tf.cast(step(fed, [tf.cast(h, wide)], products, norms)[0], h.dtype)
        return new, [new]
