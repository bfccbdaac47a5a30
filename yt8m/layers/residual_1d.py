"""Residual convolutions over time that never see the padding: every layer knows how many of its positions are true.

A convolution with bias or normalisation makes something of zeros, and the next one carries that into the
last frames. So each is followed by a mask, the moments of normalisation leave the masked places out, and
the borders are padded by a fixed number of zeros: TensorFlow's "same" padding is placed by the length of
the padded input, and predictions would change with it.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.regularizers import slim_l2


def strided(count: Any, stride: int) -> Any:
    """Return how many positions are left of `count` (a number or a tensor of them): ⌈count / stride⌉."""
    return -(-count // stride)


def valid(x: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """Return the mask bool [B, T] of the first `counts` [B] positions of x [B, T, D]."""
    return tf.range(tf.shape(x)[1])[None, :] < counts[:, None]


def masked(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return x [B, T, D] with zeros where the mask [B, T] is false."""
    return tf.where(mask[:, :, None], x, tf.zeros_like(x))


@tf.keras.utils.register_keras_serializable(package="yt8m")
class ConvNorm1D(tf.keras.layers.Layer):
    """Convolution over time, batch normalisation, ReLU, mask.

    Args:
      filters: width of the output.
      kernel_size: odd.
      stride: over time.
      activation: whether there is the ReLU.
      l2: weight of Σw²/2 of the kernel; 1e-4 is ResNet's weight decay.

    Call: (x [B, T, D] with zeros past the true positions, counts=int32 [B] of these, training) ->
    (x [B, ⌈T / stride⌉, filters], counts).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        stride: int = 1,
        activation: bool = True,
        l2: float = 1e-4,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.stride, self.activation, self.l2 = (
            filters,
            kernel_size,
            stride,
            activation,
            l2,
        )
        self.conv = tf.keras.layers.Conv1D(
            filters,
            kernel_size,
            strides=stride,
            padding="valid",
            use_bias=False,
            kernel_initializer="he_normal",
            kernel_regularizer=slim_l2(l2),
            name="conv",
        )
        self.norm = batch_norm("norm")

    def build(self, input_shape: Any) -> None:
        """Make the kernel [kernel_size, D, filters], and the normalisation's weights."""
        self.conv.build((None, None, int(input_shape[-1])))
        self.norm.build((None, None, self.filters))
        self.built = True

    def call(
        self, x: tf.Tensor, counts: tf.Tensor, training: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (x, counts)."""
        side = self.kernel_size // 2
        x = self.conv(tf.pad(x, [[0, 0], [side, side], [0, 0]]) if side else x)
        counts = strided(counts, self.stride)
        mask = valid(x, counts)
        x = self.norm(x, mask=mask, training=training)
        return masked(tf.nn.relu(x) if self.activation else x, mask), counts

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("filters", "kernel_size", "stride", "activation", "l2")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}


@tf.keras.utils.register_keras_serializable(package="yt8m")
class Bottleneck1D(tf.keras.layers.Layer):
    """relu(shortcut(x) + conv1(conv3(conv1(x)))), ResNet-50's block with kernels over time (He et al. 2015; spec C.12).

    The stride is that of the middle convolution, as implementations have had it since: in the first, of
    kernel 1, it would never look at every other position. The shortcut is a convolution where the shape changes.

    Args:
      width: of the output; inside it is a quarter.
      stride: over time.
      l2: see `ConvNorm1D`.

    Call: as `ConvNorm1D`.
    """

    def __init__(self, width: int, stride: int = 1, l2: float = 1e-4, **kwargs: Any):
        super().__init__(**kwargs)
        self.width, self.stride, self.l2 = width, stride, l2
        inner = max(1, width // 4)
        self.reduce = ConvNorm1D(inner, 1, l2=l2, name="reduce")
        self.spread = ConvNorm1D(inner, 3, stride, l2=l2, name="spread")
        self.expand = ConvNorm1D(width, 1, activation=False, l2=l2, name="expand")
        self.shortcut: ConvNorm1D | None = None  # made where the input's shape asks for it
        self._inner = inner

    def build(self, input_shape: Any) -> None:
        """Make the convolutions."""
        channels = int(input_shape[-1])
        if self.stride > 1 or channels != self.width:
            self.shortcut = ConvNorm1D(
                self.width, 1, self.stride, activation=False, l2=self.l2, name="shortcut"
            )
            self.shortcut.build((None, None, channels))
        self.reduce.build((None, None, channels))
        self.spread.build((None, None, self._inner))
        self.expand.build((None, None, self._inner))
        self.built = True

    def call(
        self, x: tf.Tensor, counts: tf.Tensor, training: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (x, counts)."""
        branch, inner_counts = self.reduce(x, counts=counts, training=training)
        branch, inner_counts = self.spread(branch, counts=inner_counts, training=training)
        branch, out_counts = self.expand(branch, counts=inner_counts, training=training)
        if self.shortcut is not None:
            x, _ = self.shortcut(x, counts=counts, training=training)
        return tf.nn.relu(x + branch), out_counts

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "width": self.width, "stride": self.stride, "l2": self.l2}


def max_pool(
    x: tf.Tensor, counts: tf.Tensor, size: int = 3, stride: int = 2
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (the maximum of each `size` positions, `stride` apart, of x >= 0 [B, T, D]; counts)."""
    side = size // 2
    x = tf.pad(x, [[0, 0], [side, side], [0, 0]])  # zeros, which no x is below
    x, counts = tf.nn.max_pool1d(x, size, stride, padding="VALID"), strided(counts, stride)
    # The first position of the padding still looks back at the last true one, and a shortcut would carry that on.
    return masked(x, valid(x, counts)), counts
