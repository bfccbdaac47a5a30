"""Keras's recurrent layers, with its weights and arguments, on the loop of `scan`.

The classes are called as those of Keras, because weight files name the layers of a list by class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from yt8m.layers.recurrent.scan import Product, Step, scan, state_dtype


class Recurrence(NamedTuple):
    """A recurrent layer as x·W + b, which is computed for all steps at once, and a step.

    Args:
      kernel: W [D, N].
      bias: b [N], or None.
      step: see `scan`; its input is x·W + b.
      kernels: the matrices of the step's products.
      others: the step's other weights.
      adds: see `scan`.
    """

    kernel: tf.Tensor
    bias: tf.Tensor | None
    step: Step
    kernels: list[tf.Tensor]
    others: list[tf.Tensor]
    adds: bool = False


class Looped(tf.keras.layers.RNN):
    """The base of the layers below, each of which has a Keras class as its second base.

    The layers have no dropout inside the step. Where Keras would run a layer on cuDNN, it still
    does.
    """

    def recurrence(self) -> Recurrence:
        """Return the equations of the layer."""
        return self.cell.recurrence()

    def fits_cudnn(self) -> bool:
        """Return whether cuDNN has these equations."""
        return False

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        """Return what Keras's layer returns for x [B, T, D]."""
        fed, run = self.prepare(tf.transpose(sequences, [1, 0, 2]))
        return run(fed, initial_state, mask, training)

    def prepare(self, x: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        """Compute what is the same for every loop over these frames, whose axes are [T, ..., D].

        Returns:
          fed: x·W + b [T, ..., N], or for cuDNN x itself.
          run: (fed [T, B, N], initial_state, mask [B, T], training) -> the result of `call`. It
            casts no kernel, so it can be called in a loop.
        """
        if self.fits_cudnn() and tf.config.list_physical_devices("GPU"):
            return x, self._run_by_keras
        kernel, bias, step, kernels, others, adds = self.recurrence()
        flat = tf.matmul(tf.reshape(x, [-1, kernel.shape[0]]), tf.cast(kernel, x.dtype))
        flat = flat if bias is None else flat + tf.cast(bias, x.dtype)
        shape = [size or tf.shape(x)[i] for i, size in enumerate(x.shape[:-1])]
        kernels = [tf.cast(kernel, x.dtype) for kernel in kernels]
        others = [tf.cast(other, state_dtype(x.dtype)) for other in others]
        run = functools.partial(self._run, step, kernels, others, adds)
        return tf.reshape(flat, [*shape, flat.shape[-1]]), run

    def _run_by_keras(self, x: tf.Tensor, initial_state: Any, mask: Any, training: Any) -> Any:
        x = tf.transpose(x, [1, 0, 2])
        return super().call(x, mask=mask, training=training, initial_state=initial_state)

    def _run(
        self,
        step: Step,
        kernels: list[tf.Tensor],
        others: list[tf.Tensor],
        adds: bool,
        fed: tf.Tensor,
        initial_state: Any,
        mask: Any,
        training: Any,
    ) -> Any:
        mask = None if mask is None else tf.transpose(mask)  # [T, B]
        if self.go_backwards:
            fed = tf.reverse(fed, [0])
            mask = None if mask is None else tf.reverse(mask, [0])
        states, outputs = scan(
            step,
            fed,
            initial_state or self._zeros(fed),
            kernels,
            others,
            mask,
            adds,
            sequences=self.return_sequences,
            keep=bool(training),
        )
        output = tf.cast(states[0], fed.dtype)
        if outputs is not None:
            if mask is not None and self.zero_output_for_mask:
                outputs = tf.where(mask[:, :, None], outputs, tf.zeros_like(outputs))
            output = tf.transpose(outputs, [1, 0, 2])  # [B, T, units]
        return [output, *(tf.cast(s, fed.dtype) for s in states)] if self.return_state else output

    def _zeros(self, fed: tf.Tensor) -> list[tf.Tensor]:
        """Return the initial states."""
        batch = fed.shape[1] or tf.shape(fed)[1]
        sizes = tf.nest.flatten(self.cell.state_size)
        return [tf.zeros([batch, size], state_dtype(fed.dtype)) for size in sizes]


@tf.keras.utils.register_keras_serializable(package="yt8m")
class LSTM(Looped, tf.keras.layers.LSTM):
    """Keras's LSTM."""

    def fits_cudnn(self) -> bool:
        """Return True."""
        return True

    def recurrence(self) -> Recurrence:
        """Return the equations of the layer."""
        cell = self.cell
        return Recurrence(cell.kernel, cell.bias, lstm_step, [cell.recurrent_kernel], [], True)


@tf.keras.utils.register_keras_serializable(package="yt8m")
class GRU(Looped, tf.keras.layers.GRU):
    """Keras's GRU, whose reset gate acts after the recurrent product or before it."""

    def fits_cudnn(self) -> bool:
        """Return whether the reset gate acts after the product, as in cuDNN."""
        return self.cell.reset_after

    def recurrence(self) -> Recurrence:
        """Return the equations of the layer."""
        cell = self.cell
        if cell.reset_after:
            bias = tf.convert_to_tensor(cell.bias)
            return Recurrence(
                cell.kernel, bias[0], reset_after_step, [cell.recurrent_kernel], [bias[1]]
            )
        u, kernel = 2 * cell.units, tf.convert_to_tensor(cell.recurrent_kernel)
        return Recurrence(
            cell.kernel, cell.bias, reset_before_step, [kernel[:, :u], kernel[:, u:]], []
        )


@tf.keras.utils.register_keras_serializable(package="yt8m")
class RNN(Looped):
    """Keras's RNN for a cell that has a `recurrence`, as `LayerNormGruCell`."""


def lstm_step(
    _: None, states: Sequence[tf.Tensor], products: Sequence[Product], others: Any
) -> list[tf.Tensor]:
    """Return h' = σ(o)∘tanh c' and c' = σ(f)∘c + σ(i)∘tanh g, where i, f, g, o are the product."""
    h, c = states
    i, f, g, o = tf.split(products[0](h), 4, axis=-1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return [tf.sigmoid(o) * tf.tanh(c), c]


def reset_after_step(
    x: tf.Tensor, states: Sequence[tf.Tensor], products: Sequence[Product], others: Any
) -> list[tf.Tensor]:
    """Return h' = z∘h + (1 − z)∘tanh(x_c + r∘(h·U_c + b_c)) for z, r = σ(x_zr + h·U_zr + b_zr)."""
    (h,) = states
    n = 2 * h.shape[-1]
    p = products[0](h) + others[0]
    z, r = tf.split(tf.sigmoid(x[:, :n] + p[:, :n]), 2, axis=-1)
    candidate = tf.tanh(x[:, n:] + r * p[:, n:])
    return [z * h + (1.0 - z) * candidate]


def reset_before_step(
    x: tf.Tensor, states: Sequence[tf.Tensor], products: Sequence[Product], _: Any
) -> list[tf.Tensor]:
    """Return h' = z∘h + (1 − z)∘tanh(x_c + (r∘h)·U_c) for z, r = σ(x_zr + h·U_zr)."""
    (h,) = states
    n = 2 * h.shape[-1]
    z, r = tf.split(tf.sigmoid(x[:, :n] + products[0](h)), 2, axis=-1)
    candidate = tf.tanh(x[:, n:] + products[1](r * h))
    return [z * h + (1.0 - z) * candidate]
