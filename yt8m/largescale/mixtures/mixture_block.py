"""A few classes of equally many experts, and one compiled training step for them.

Features are given, so that no gradient goes further than the kernels, and classes share nothing. A
step of a block is therefore whole in itself: logits, loss, gradient, Adam; then they are let go.
Blocks are cut so that a block's logits and gradients stay near the processor's caches, which is what
makes a step run at the speed of its matrix products: each of the passes over them would cost as much
as a product if it went through memory.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
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

BLOCK_WEIGHTS = 4 << 20  # of both kernels
BLOCK_LOGITS = 4 << 20  # of a batch
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's, as in yt8m.training.optimizers


def cut(
    classes: Sequence[int], num_mixtures: Sequence[int], width: int, batch_size: int
) -> list[tuple[int, list[int]]]:
    """Return (k, classes) of each block: classes of equal k together, in order, no more than a block may hold.

    Args:
      classes: labels [C].
      num_mixtures: experts of each of them [C].
      width: D.
      batch_size: B.
    """
    blocks = []
    for k in sorted(set(num_mixtures)):
        alike = [c for c, n in zip(classes, num_mixtures) if n == k]
        columns = 2 * k + 1
        most = max(
            1, min(BLOCK_WEIGHTS // (width * columns), BLOCK_LOGITS // (batch_size * columns))
        )
        size = -(
            -len(alike) // -(-len(alike) // most)
        )  # even blocks: each other shape is another trace
        blocks += [(k, alike[i : i + size]) for i in range(0, len(alike), size)]
    return blocks


class MixtureBlock:
    """Kernels, biases and Adam's moments of `classes`, with `k` experts each.

    Args:
      classes: labels [c].
      k: experts a class, without the dummy.
      width: D.
      dummy: whether there is a dummy expert.
      expert_bias: whether the experts have a bias.

    Kernels are [D, c, states], or [D, states, c] for few states, as in `MixtureOfExperts`.
    """

    def __init__(
        self,
        classes: Sequence[int],
        k: int,
        width: int,
        dummy: bool = True,
        expert_bias: bool = True,
    ):
        self.classes, self.k, self.width, self.states = (
            list(classes),
            int(k),
            width,
            int(k) + int(dummy),
        )
        self.class_major = k >= STATES_FASTEST_FROM
        self.names = ["gates", "experts"] + ["bias"] * expert_bias
        self.weights = [tf.Variable(tf.zeros(self._shape(n)), trainable=False) for n in self.names]
        self.moments: list[tf.Variable] = []

    def _shape(self, name: str) -> list[int]:
        c, states = len(self.classes), self.states if name == "gates" else self.k
        sides = [c, states] if self.class_major else [states, c]
        return sides if name == "bias" else [self.width, *sides]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each weight."""
        return tuple(tuple(w.shape) for w in self.weights)

    def start(self, seed: int, glorot_classes: int, priors: np.ndarray | None = None) -> None:
        """Give the weights their first values, which hang on `seed` and the class alone, not on its neighbours.

        Args:
          seed: of the run.
          glorot_classes: classes in the layer whose initial scale is meant (Glorot's of its flat kernel).
          priors: [K], for the experts' biases; None leaves them 0.
        """
        for variable, name in zip(self.weights, self.names):
            if name == "bias":
                if priors is not None:
                    share = (self.k + 1) / self.k if self.states > self.k else 1.0
                    logits = prior_logits(np.asarray(priors)[self.classes] * share)
                    logits = logits[:, None] if self.class_major else logits[None, :]
                    variable.assign(np.broadcast_to(logits, self._shape("bias")))
                continue
            copies = self.states if name == "gates" else self.k
            limit = math.sqrt(6.0 / (self.width + copies * glorot_classes))
            value = np.empty([self.width, len(self.classes), copies], np.float32)
            for i, c in enumerate(self.classes):
                rng = np.random.Generator(
                    np.random.PCG64(np.random.SeedSequence([seed, c, int(name == "experts")]))
                )
                value[:, i] = (rng.random((self.width, copies), np.float32) * 2.0 - 1.0) * limit
            variable.assign(value if self.class_major else np.swapaxes(value, 1, 2))

    def prepare(self) -> None:
        """Make Adam's moments."""
        self.moments = [
            tf.Variable(tf.zeros(w.shape), trainable=False) for w in self.weights for _ in range(2)
        ]

    def arrays(self, with_moments: bool) -> Iterable[np.ndarray]:
        """Yield the weights, and the moments where asked."""
        for variable in [*self.weights, *(self.moments if with_moments else [])]:
            yield variable.numpy()

    def load(self, arrays: Iterable[np.ndarray], with_moments: bool) -> None:
        """Take what `arrays` gave, as many arrays as there are variables."""
        arrays = iter(arrays)
        for variable in [*self.weights, *(self.moments if with_moments else [])]:
            variable.assign(next(arrays))

    def predict(self, x: tf.Tensor) -> np.ndarray:
        """Return probabilities [B, c] of features [B, D]."""
        return _prediction(self.class_major, self.shapes, int(x.shape[0]))(x, *self.weights).numpy()


def _logits(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    width, a, b = kernel.shape
    flat = tf.matmul(x, tf.cast(tf.reshape(kernel, [width, a * b]), x.dtype))
    return tf.reshape(tf.cast(flat, tf.float32), [-1, a, b])


def _forward(
    x: tf.Tensor, gates: Any, experts: Any, bias: Any, class_major: bool
) -> tuple[tf.Tensor, Any]:
    e = _logits(x, experts)
    if bias is not None:
        e += bias
    return (by_class if class_major else by_state)(_logits(x, gates), e, True)


# A function for each shape: TensorFlow warns of one function that is traced for many.
@functools.cache
def _prediction(class_major: bool, shapes: Any, rows: int) -> Callable[..., tf.Tensor]:
    del shapes, rows
    return tf.function(
        lambda x, gates, experts, bias=None: _forward(x, gates, experts, bias, class_major)[0]
    )


@functools.cache
def training_step(
    loss_name: str, l2: float, clip: float, class_major: bool, shapes: Any
) -> Callable[..., None]:
    """Return the compiled `(x, labels, weights, moments, rate, power_1, power_2, total) -> None` for blocks of one shape.

    Args:
      loss_name: a loss that is a sum over classes.
      l2: weight of Σw²/2 over both kernels.
      clip: norm limit of each class's part of each gradient; 0 is off.
      class_major: the layout.
      shapes: of the blocks' weights; it only tells one function from another.
    """
    del shapes
    loss = losses.get(loss_name)

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
        """One step of Adam; adds the batch's mean loss to `total`."""
        gates, experts, bias = (*weights, None)[:3]
        p, kept = _forward(x, gates, experts, bias, class_major)
        with tf.GradientTape() as tape:
            tape.watch(p)
            mean = tf.reduce_sum(loss(labels, p, None)) / x.shape[0]
        dp = tape.gradient(mean, p)
        gradients = list((by_class_gradient if class_major else by_state_gradient)(dp, kept, True))
        if bias is not None:
            gradients.append(tf.reduce_sum(gradients[1], axis=0))
        for i, variable in enumerate([gates, experts]):
            flat = tf.cast(tf.reshape(gradients[i], [x.shape[0], -1]), x.dtype)
            product = tf.matmul(x, flat, transpose_a=True)
            gradients[i] = tf.reshape(tf.cast(product, tf.float32), variable.shape)
            if l2:
                gradients[i] += l2 * variable
        for i, (variable, gradient) in enumerate(zip(weights, gradients)):
            if clip:
                axes = [
                    a
                    for a in range(len(gradient.shape))
                    if a != len(gradient.shape) - (2 if class_major else 1)
                ]
                norms = tf.sqrt(tf.reduce_sum(tf.square(gradient), axes, keepdims=True))
                gradient *= clip / tf.maximum(norms, clip)
            # The fused operation: a third of the passes over memory of the optimiser's own arithmetic.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=moments[2 * i].handle, v=moments[2 * i + 1].handle, grad=gradient,
                lr=rate, beta1_power=power_1, beta2_power=power_2, beta1=BETA_1, beta2=BETA_2, epsilon=EPSILON,
            )  # fmt: skip
        total.assign_add(mean)

    # A trace for each shape of block is what is wanted, not the mistake that TensorFlow would warn of.
    step._omit_frequent_tracing_warning = True
    return step


def block_header(block: MixtureBlock) -> dict[str, Any]:
    """Return what names a block in a file."""
    return {"k": block.k, "classes": block.classes}
