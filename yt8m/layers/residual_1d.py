"""Residual convolutions over time whose results do not depend on the padding.

A convolution with a bias or a normalisation turns zeros into other numbers, which the next
convolution would carry into the last frames. Therefore each is followed by a mask, and the moments
of the normalisation exclude masked positions. The borders are padded with a fixed number of zeros,
because TensorFlow's "same" padding depends on the length of the padded input, and so would the
predictions.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import first_positions, masked
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.regularizers import slim_l2


def strided(count: Any, stride: int) -> Any:
    """Return ⌈count / stride⌉, the positions left of `count` (a number or a tensor of numbers)."""
    # Without a negative number, whose division ONNX rounds the other way.
    return (count + stride - 1) // stride


class ConvNorm1D(Yt8mLayer):
    """Convolution over time, batch normalisation, ReLU and mask.

    Args:
      filters: width of the output.
      kernel_size: odd.
      stride: step over time.
      activation: whether to apply the ReLU.
      l2: weight of Σw²/2 of the kernel; 1e-4 is the weight decay of ResNet.

    Call: (x [B, T, D] with zeros in the padding, counts=int32 [B], the true positions of each row,
    training) -> (x [B, ⌈T / stride⌉, filters], counts).
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
        self.filters, self.kernel_size, self.stride = filters, kernel_size, stride
        self.activation = activation
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
        """Create the kernel [kernel_size, D, filters] and the weights of the normalisation."""
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
        mask = first_positions(tf.shape(x)[1], counts)
        x = self.norm(x, mask=mask, training=training)
        return masked(tf.nn.relu(x) if self.activation else x, mask), counts


class Bottleneck1D(Yt8mLayer):
    """The block of ResNet-50 with kernels over time: relu(shortcut(x) + conv1(conv3(conv1(x)))).

    Source: He et al. 2015 (docs/sources.md#1d-resnet). The middle convolution has the stride, as in
    implementations since then: the first one, of kernel 1, would skip every other position. The
    shortcut is a convolution only where the shape changes.

    Args:
      width: width of the output; the inner convolutions are a quarter as wide.
      stride: step over time.
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
        self.shortcut: ConvNorm1D | None = None  # `build` makes it where the input's shape needs it
        self._inner = inner

    def _shortcut(self) -> ConvNorm1D:
        width, l2 = self.width, self.l2
        return ConvNorm1D(width, 1, self.stride, activation=False, l2=l2, name="shortcut")

    def build(self, input_shape: Any) -> None:
        """Create the convolutions."""
        channels = int(input_shape[-1])
        if self.stride > 1 or channels != self.width:
            self.shortcut = self._shortcut()
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


def max_pool(
    x: tf.Tensor, counts: tf.Tensor, size: int = 3, stride: int = 2
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (the maximum of each `size` positions of x, `stride` apart; the counts left).

    Args:
      x: [B, T, D], not negative, with zeros in the padding.
      counts: int32 [B], the true positions of each row.
      size: odd.
      stride: step over time.
    """
    side = size // 2
    x = tf.pad(x, [[0, 0], [side, side], [0, 0]])  # zeros never exceed the maximum
    x, counts = tf.nn.max_pool1d(x, size, stride, padding="VALID"), strided(counts, stride)
    # The first padded position may still see the last true one, and shortcuts would carry it on.
    return masked(x, first_positions(tf.shape(x)[1], counts)), counts
