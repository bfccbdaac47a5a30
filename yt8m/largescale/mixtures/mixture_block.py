"""A few classes with equally many experts, and one compiled training step for them.

Features are fixed, so no gradient goes beyond the kernels, and classes share nothing. A step of a
block is therefore complete in itself: logits, loss, gradient and Adam, after which all intermediate
values are released. Blocks are cut so that their logits and gradients stay near the processor's
caches. That makes a step as fast as its matrix products: each pass over those values would cost as
much as a product if it went through memory.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.layers.heads.mixture_math import (
    STATES_FASTEST_FROM,
    by_class,
    by_class_gradient,
    by_state,
    by_state_gradient,
)
from yt8m.layers.heads.prior_logits import prior_logits
from yt8m.losses import registry as losses

BLOCK_WEIGHTS = 4 << 20  # the most weights of both kernels of a block
BLOCK_LOGITS = 4 << 20  # the most logits of a block for one batch
NAMES = ("gates", "experts", "bias")  # a mixture's weights, in the order of files
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's constants, as in yt8m.training.optimizers


def cut(
    classes: Sequence[int], num_mixtures: Sequence[int], width: int, batch_size: int
) -> list[tuple[int, list[int]]]:
    """Return (k, classes) of each block: as many classes of equal k as fit, in order.

    Args:
      classes: labels [C].
      num_mixtures: the number of experts of each of them, [C].
      width: D.
      batch_size: B.
    """
    blocks = []
    for k in sorted({int(n) for n in num_mixtures}):
        alike = [c for c, n in zip(classes, num_mixtures) if n == k]
        columns = 2 * k + 1
        by_weights, by_logits = (
            BLOCK_WEIGHTS // (width * columns),
            BLOCK_LOGITS // (batch_size * columns),
        )
        most = max(1, min(by_weights, by_logits))
        count = -(-len(alike) // most)
        size = -(-len(alike) // count)  # even blocks: every other shape is traced once more
        blocks += [(k, alike[i : i + size]) for i in range(0, len(alike), size)]
    return blocks


def class_axis(name: str, class_major: bool) -> int:
    """Return the axis of the classes of a block's "gates", "experts" or "bias".

    Kernels are [D, c, states] if `class_major` and [D, states, c] otherwise; biases have no D axis.
    """
    return (0 if class_major else 1) + (name != "bias")


class MixtureBlock:
    """Kernels, biases and Adam's moments of `classes`, with `k` experts each.

    Kernels are [D, c, states], or [D, states, c] for few states, as in `MixtureOfExperts` with a
    dummy expert and biases.

    Args:
      classes: labels [c].
      k: experts of a class, without the dummy expert.
      width: D.
    """

    def __init__(self, classes: Sequence[int], k: int, width: int):
        self.classes, self.k, self.width = list(classes), int(k), width
        self.class_major = k >= STATES_FASTEST_FROM
        self.weights = [tf.Variable(tf.zeros(self._shape(n)), trainable=False) for n in NAMES]
        self.moments: list[tf.Variable] = []

    def _shape(self, name: str) -> list[int]:
        c, states = len(self.classes), self._states(name)
        sides = [c, states] if self.class_major else [states, c]
        return sides if name == "bias" else [self.width, *sides]

    def _states(self, name: str) -> int:
        return self.k + 1 if name == "gates" else self.k  # the dummy expert has a gate alone

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each weight."""
        return tuple(tuple(w.shape) for w in self.weights)

    def header(self) -> dict[str, Any]:
        """Return what identifies this block in a file, ready for JSON."""
        return {"k": self.k, "classes": self.classes}

    def start(self, seed: int, glorot_classes: int, priors: np.ndarray | None = None) -> None:
        """Initialise the weights from only `seed` and the class, whichever its neighbours are.

        Args:
          seed: the run's seed.
          glorot_classes: the number of classes of the layer whose initial scale is used (Glorot's
            for its flat kernel).
          priors: label frequencies [K] from which the experts' biases start; None leaves them 0.
        """
        for variable, name in zip(self.weights, NAMES):
            if name != "bias":
                variable.assign(self._random_kernel(name, seed, glorot_classes))
            elif priors is not None:
                share = (self.k + 1) / self.k  # the dummy expert predicts nothing
                logits = prior_logits(np.asarray(priors)[self.classes] * share)
                logits = logits[:, None] if self.class_major else logits[None, :]
                variable.assign(np.broadcast_to(logits, self._shape("bias")))

    def _random_kernel(self, name: str, seed: int, glorot_classes: int) -> np.ndarray:
        copies = self._states(name)
        limit = math.sqrt(6.0 / (self.width + copies * glorot_classes))
        value = np.empty([self.width, len(self.classes), copies], np.float32)
        for i, c in enumerate(self.classes):
            sequence = np.random.SeedSequence([seed, c, int(name == "experts")])
            rng = np.random.Generator(np.random.PCG64(sequence))
            value[:, i] = (rng.random((self.width, copies), np.float32) * 2.0 - 1.0) * limit
        return value if self.class_major else np.swapaxes(value, 1, 2)

    def make_moments(self) -> None:
        """Create Adam's moments, which are 0 at first."""
        self.moments = [
            tf.Variable(tf.zeros(w.shape), trainable=False) for w in self.weights for _ in range(2)
        ]

    def arrays(self, with_moments: bool) -> Iterator[np.ndarray]:
        """Yield the weights, followed by the moments if requested."""
        for variable in [*self.weights, *(self.moments if with_moments else [])]:
            yield variable.numpy()

    def load(self, arrays: Iterator[np.ndarray], with_moments: bool) -> None:
        """Assign the arrays that `arrays` yielded; takes as many as there are variables."""
        for variable in [*self.weights, *(self.moments if with_moments else [])]:
            # A tensor may use the array's own memory, which the first step would copy.
            variable.assign(tf.raw_ops.DeepCopy(x=tf.constant(next(arrays))))

    def predict(self, x: tf.Tensor) -> np.ndarray:
        """Return probabilities [B, c] for features [B, D]."""
        return _prediction(self.class_major, self.shapes, int(x.shape[0]))(x, *self.weights).numpy()


def _logits(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    width, a, b = kernel.shape
    flat = tf.matmul(x, tf.cast(tf.reshape(kernel, [width, a * b]), x.dtype))
    return tf.reshape(tf.cast(flat, tf.float32), [-1, a, b])


def _forward(
    x: tf.Tensor, gates: Any, experts: Any, bias: Any, class_major: bool
) -> tuple[tf.Tensor, Any]:
    mix = by_class if class_major else by_state
    return mix(_logits(x, gates), _logits(x, experts) + bias, True)


# One function for each shape: TensorFlow warns about one function that is traced for many shapes.
@functools.cache
def _prediction(class_major: bool, shapes: Any, rows: int) -> Callable[..., tf.Tensor]:
    del shapes, rows
    return tf.function(
        lambda x, gates, experts, bias: _forward(x, gates, experts, bias, class_major)[0]
    )


@functools.cache
def training_step(
    loss_name: str, l2: float, clip: float, class_major: bool, shapes: Any
) -> Callable[..., None]:
    """Return the compiled training step for blocks of one shape.

    Args:
      loss_name: a loss that is a sum over classes.
      l2: the weight of Σw²/2 over both kernels.
      clip: the limit of the norm of each class's part of each gradient; 0 is off.
      class_major: the layout, see `class_axis`.
      shapes: the shapes of the blocks' weights; they only distinguish one function from another.

    Returns:
      `(x, labels, weights, moments, rate, power_1, power_2, total) -> None`.
    """
    del shapes
    loss = losses.get(loss_name)
    by_logits_gradient = by_class_gradient if class_major else by_state_gradient

    @tf.function
    def step(
        x: tf.Tensor,
        labels: tf.Tensor,
        weights: list[Any],
        moments: list[Any],
        rate: Any,
        power_1: Any,
        power_2: Any,
        total: Any,
    ) -> None:
        """Take one step of Adam and add the batch's mean loss to `total`."""
        gates, experts, bias = weights
        p, kept = _forward(x, gates, experts, bias, class_major)
        with tf.GradientTape() as tape:
            tape.watch(p)
            mean = tf.reduce_sum(loss(labels, p, None)) / x.shape[0]
        dp = tape.gradient(mean, p)
        gradients = list(by_logits_gradient(dp, kept, True))
        gradients.append(tf.reduce_sum(gradients[1], axis=0))  # of the bias
        for i, kernel in enumerate([gates, experts]):
            gradients[i] = _kernel_gradient(x, gradients[i], kernel)
            if l2:
                gradients[i] += l2 * kernel
        for i, (variable, gradient) in enumerate(zip(weights, gradients)):
            if clip:
                gradient = _clipped(gradient, clip, class_axis(NAMES[i], class_major))
            # The fused operation passes over memory a third as often as the optimiser's code.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=moments[2 * i].handle,
                v=moments[2 * i + 1].handle,
                grad=gradient,
                lr=rate,
                beta1_power=power_1,
                beta2_power=power_2,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
            )
        total.assign_add(mean)

    # Tracing once for each shape of block is intended; TensorFlow would warn about it.
    step._omit_frequent_tracing_warning = True
    return step


def _kernel_gradient(x: tf.Tensor, of_logits: tf.Tensor, kernel: Any) -> tf.Tensor:
    flat = tf.cast(tf.reshape(of_logits, [x.shape[0], -1]), x.dtype)
    product = tf.matmul(x, flat, transpose_a=True)
    return tf.reshape(tf.cast(product, tf.float32), kernel.shape)


def _clipped(gradient: tf.Tensor, limit: float, axis_of_classes: int) -> tf.Tensor:
    """Return a gradient whose norm is limited separately for each class."""
    axes = [a for a in range(len(gradient.shape)) if a != axis_of_classes]
    norms = tf.sqrt(tf.reduce_sum(tf.square(gradient), axes, keepdims=True))
    return gradient * (limit / tf.maximum(norms, limit))
