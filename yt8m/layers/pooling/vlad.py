"""AttnVLAD: the residuals of frames to learned centres, summed by attention."""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import mask_or_all, masked_softmax
from yt8m.layers.pooling.residuals import flat_unit_parts, summed_residuals

Kernel = Literal["additive", "linear", "soft"]
Scheme = Literal["a", "b"]


class AttnVlad(Yt8mLayer):
    """O_j = Σ_i a_ij (x_i − C_j), concatenated over the centres j.

    Source: UTS eqs. 4 to 7 and Fig. 4 (docs/sources.md#attnvlad).

    Args:
      num_centers: C.
      kernel: score of a frame and a centre: "additive", the paper's (eq. 7: w_a·tanh(W_c C_j + W_i
        x_i + b)); "linear" (eq. 6: w_jᵀ x_i + b_j); or "soft" (eq. 5: −α‖x_i − C_j‖²).
      scheme: "a", a softmax over the centres for each frame; "b", one over the frames for each
        centre.
      attention_size: hidden width of the additive kernel.
      alpha: α of the soft kernel.
      auxiliary_weight: weight of the mean over the batch of Σ_ij a_ij‖x_i − C_j‖² in the loss.
      normalize: apply a signed square root, the L2 norm of each centre's part, and that of all.

    Call: (x [B, T, D], mask=bool [B, T] or None) -> float32 [B, C · D]. Padded frames do not count.
    """

    def __init__(
        self,
        num_centers: int = 10,
        kernel: Kernel = "additive",
        scheme: Scheme = "a",
        attention_size: int = 100,
        alpha: float = 1.0,
        auxiliary_weight: float = 1e-8,
        normalize: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.kernel = one_of("kernel", kernel, Kernel)
        self.scheme = one_of("scheme", scheme, Scheme)
        self.num_centers, self.attention_size, self.alpha = int(num_centers), attention_size, alpha
        self.auxiliary_weight, self.normalize = auxiliary_weight, normalize

    def build(self, input_shape: Any) -> None:
        """Create the centres [C, D] and the weights of the kernel."""
        width, c, h = int(input_shape[-1]), self.num_centers, self.attention_size
        small = tf.keras.initializers.TruncatedNormal(stddev=0.01)
        l2 = tf.keras.regularizers.L2(1e-5 / 2)
        self.centers = self.new_weight("centers", (c, width), small, regularizer=l2)
        if self.kernel == "additive":
            self.w_c = self.new_weight("w_c", (width, h))
            self.w_i = self.new_weight("w_i", (width, h))
            self.b = self.new_weight("b", (h,), "zeros")
            self.w_a = self.new_weight(
                "w_a", (h,), tf.keras.initializers.TruncatedNormal(stddev=0.1)
            )
        elif self.kernel == "linear":
            self.w = self.new_weight("w", (width, c))
            if self.scheme == "a":  # a softmax over frames cancels a bias of the centre
                self.b = self.new_weight("b", (c,), "zeros")
        self.built = True

    def _scores(self, x: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
        """Return the score of each frame and centre, [B, T, C]."""
        if self.kernel == "linear":
            scores = tf.einsum("btd,dc->btc", x, tf.cast(self.w, x.dtype))
            return scores + tf.cast(self.b, x.dtype) if self.scheme == "a" else scores
        if self.kernel == "soft":
            return -self.alpha * _squared_distances(x, centers)
        w_c, w_i, b, w_a = (tf.cast(w, x.dtype) for w in (self.w_c, self.w_i, self.b, self.w_a))
        of_centers = tf.matmul(centers, w_c)  # [C, h]
        of_frames = tf.einsum("btd,dh->bth", x, w_i) + b  # [B, T, h]
        return tf.einsum("btch,h->btc", tf.tanh(of_frames[:, :, None, :] + of_centers), w_a)

    def attention(self, x: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (a [B, T, C], zero on padded frames; the centres in the dtype of the inputs)."""
        centers = tf.cast(self.centers, x.dtype)
        scores = self._scores(x, centers)
        if self.scheme == "a":
            weights = tf.nn.softmax(tf.cast(scores, tf.float32), axis=-1)
        else:
            weights = masked_softmax(scores, mask, axis=1)
        return tf.cast(weights * tf.cast(mask, tf.float32)[:, :, None], x.dtype), centers

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the residuals [B, C · D], and add the auxiliary term to the layer's losses."""
        a, centers = self.attention(x, mask_or_all(mask, x))
        out = summed_residuals(a, x, centers)  # [B, C, D]
        if self.auxiliary_weight:
            distances = tf.cast(a, tf.float32) * _squared_distances(x, centers)
            each = tf.reduce_sum(distances, axis=[1, 2])  # [B]
            self.add_loss(self.auxiliary_weight * tf.reduce_mean(each))
        if not self.normalize:
            return tf.reshape(out, [-1, self.num_centers * int(x.shape[-1])])
        return flat_unit_parts(tf.sign(out) * tf.sqrt(tf.abs(out) + 1e-12))


def _squared_distances(x: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
    """Return ‖x_i − C_j‖² [B, T, C] by expanding the square.

    It is computed in float32, because the result is a small difference of large numbers.
    """
    x, centers = tf.cast(x, tf.float32), tf.cast(centers, tf.float32)
    cross = tf.einsum("btd,cd->btc", x, centers)
    of_x = tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)
    return of_x - 2.0 * cross + tf.reduce_sum(tf.square(centers), axis=-1)
