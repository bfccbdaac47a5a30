"""AttnVLAD: residuals of frames to learned centres, summed by attention."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

KERNELS = ("additive", "linear", "soft")
SCHEMES = ("a", "b")


@tf.keras.utils.register_keras_serializable(package="yt8m")
class AttnVlad(tf.keras.layers.Layer):
    """O_j = Σ_i a_ij (x_i − C_j), concatenated over the centres j (UTS eqs. 4 to 7 and Fig. 4; spec C.14).

    Args:
      num_centers: C.
      kernel: how a frame is held against a centre: "additive" (eq. 7: w_a·tanh(W_c C_j + W_i x_i + b),
        the paper's), "linear" (eq. 6: w_jᵀ x_i + b_j) or "soft" (eq. 5: −α‖x_i − C_j‖²).
      scheme: "a", inputs ask the centres: a softmax over centres for each frame; "b", centres
        ask the inputs: a softmax over frames for each centre.
      attention_size: hidden width of the additive kernel.
      alpha: of the soft kernel.
      auxiliary_weight: weight of Σ_ij a_ij‖x_i − C_j‖², a mean over the batch, added to the loss.
      normalize: signed square root, L2 norm of each centre's part, L2 norm of all.

    Input [B, T, D] with `mask` bool [B, T]; output float32 [B, C · D]. Padded frames count for nothing.
    """

    def __init__(
        self,
        num_centers: int = 10,
        kernel: str = "additive",
        scheme: str = "a",
        attention_size: int = 100,
        alpha: float = 1.0,
        auxiliary_weight: float = 1e-8,
        normalize: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost
        if kernel not in KERNELS or scheme not in SCHEMES:
            raise ValueError(
                f"kernel is one of {KERNELS} and scheme one of {SCHEMES}, not {kernel!r}, {scheme!r}"
            )
        self.num_centers, self.kernel, self.scheme = int(num_centers), kernel, scheme
        self.attention_size, self.alpha = attention_size, alpha
        self.auxiliary_weight, self.normalize = auxiliary_weight, normalize

    def build(self, input_shape: Any) -> None:
        """Make the centres [C, D] and the kernel's weights."""
        width, c, h = int(input_shape[-1]), self.num_centers, self.attention_size
        small = tf.keras.initializers.TruncatedNormal(stddev=0.01)
        self.centers = self.add_weight(
            name="centers",
            shape=(c, width),
            initializer=small,
            regularizer=tf.keras.regularizers.L2(1e-5 / 2),
            trainable=True,
        )
        if self.kernel == "additive":
            self.w_c = self.add_weight(
                name="w_c", shape=(width, h), initializer="glorot_uniform", trainable=True
            )
            self.w_i = self.add_weight(
                name="w_i", shape=(width, h), initializer="glorot_uniform", trainable=True
            )
            self.b = self.add_weight(name="b", shape=(h,), initializer="zeros", trainable=True)
            self.w_a = self.add_weight(
                name="w_a",
                shape=(h,),
                initializer=tf.keras.initializers.TruncatedNormal(stddev=0.1),
                trainable=True,
            )
        elif self.kernel == "linear":
            self.w = self.add_weight(
                name="w", shape=(width, c), initializer="glorot_uniform", trainable=True
            )
            if self.scheme == "a":  # a softmax over frames takes a centre's bias out again
                self.b = self.add_weight(name="b", shape=(c,), initializer="zeros", trainable=True)
        self.built = True

    def _scores(self, x: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
        """Return how well each frame and centre go together, [B, T, C]."""
        if self.kernel == "linear":
            scores = tf.einsum("btd,dc->btc", x, tf.cast(self.w, x.dtype))
            return scores + tf.cast(self.b, x.dtype) if self.scheme == "a" else scores
        if self.kernel == "soft":
            return -self.alpha * _squared_distances(x, centers)
        w_c, w_i, b, w_a = (tf.cast(w, x.dtype) for w in (self.w_c, self.w_i, self.b, self.w_a))
        asked = tf.matmul(centers, w_c)  # [C, h]
        given = tf.einsum("btd,dh->bth", x, w_i) + b  # [B, T, h]
        return tf.einsum("btch,h->btc", tf.tanh(given[:, :, None, :] + asked), w_a)

    def attention(self, x: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (a [B, T, C], zero on padded frames, and the centres in the inputs' dtype)."""
        centers = tf.cast(self.centers, x.dtype)
        scores = tf.cast(self._scores(x, centers), tf.float32)
        if self.scheme == "a":
            weights = tf.nn.softmax(scores, axis=-1)
        else:
            weights = tf.nn.softmax(tf.where(mask[:, :, None], scores, -1e9), axis=1)
        return tf.cast(weights * tf.cast(mask, tf.float32)[:, :, None], x.dtype), centers

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the residuals [B, C · D]; adds the auxiliary term to the layer's losses."""
        if mask is None:
            mask = tf.ones(tf.shape(x)[:2], tf.bool)
        a, centers = self.attention(x, mask)
        # Σ_i a_ij x_i − C_j Σ_i a_ij: the residuals themselves, [B, T, C, D], are never made.
        out = (
            tf.einsum("btc,btd->bcd", a, x) - tf.reduce_sum(a, axis=1)[:, :, None] * centers
        )  # [B, C, D]
        if self.auxiliary_weight:
            each = tf.reduce_sum(
                tf.cast(a, tf.float32) * _squared_distances(x, centers), axis=[1, 2]
            )  # [B]
            self.add_loss(self.auxiliary_weight * tf.reduce_mean(each))
        out = tf.cast(out, tf.float32)
        flat = self.num_centers * int(x.shape[-1])
        if not self.normalize:
            return tf.reshape(out, [-1, flat])
        out = tf.sign(out) * tf.sqrt(tf.abs(out) + 1e-12)
        out = tf.math.l2_normalize(out, axis=-1, epsilon=1e-12)
        return tf.math.l2_normalize(tf.reshape(out, [-1, flat]), axis=-1, epsilon=1e-12)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output: each layer is given its own."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "num_centers",
            "kernel",
            "scheme",
            "attention_size",
            "alpha",
            "auxiliary_weight",
            "normalize",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _squared_distances(x: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
    """Return ‖x_i − C_j‖² [B, T, C] by expanding the square; float32, for a small difference of large numbers is what counts."""
    x, centers = tf.cast(x, tf.float32), tf.cast(centers, tf.float32)
    cross = tf.einsum("btd,cd->btc", x, centers)
    return (
        tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)
        - 2.0 * cross
        + tf.reduce_sum(tf.square(centers), axis=-1)
    )
