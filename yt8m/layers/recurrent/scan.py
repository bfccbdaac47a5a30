"""The loop over the steps of a recurrent layer, with a gradient that is cheap in time and memory.

TensorFlow's own gradient of a loop keeps every intermediate value of every step (in mixed precision
also a copy of each kernel), and adds to the gradient of each kernel in every step. Here the loop
keeps the states and the recurrent products alone. The backward loop derives one step at a time from
them, and one product over all steps gives the gradient of a kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Product = Callable[[tf.Tensor], tf.Tensor]  # v [B, n] -> v · kernel [B, m]
Step = Callable[
    [tf.Tensor, Sequence[tf.Tensor], Sequence[Product], Sequence[tf.Tensor]], list[tf.Tensor]
]


def state_dtype(dtype: tf.DType) -> tf.DType:
    """Return the type of the states where products have this type: a 16-bit sum would stall."""
    return tf.float32 if dtype.size < 4 else dtype


def product_with(kernel: tf.Tensor) -> Product:
    """Return v -> v · kernel, computed in the kernel's type and returned in that of v."""
    return lambda v: tf.cast(tf.matmul(tf.cast(v, kernel.dtype), kernel), v.dtype)


def plain_scan(
    step: Step,
    inputs: tf.Tensor,
    states: Sequence[tf.Tensor],
    kernels: Sequence[tf.Tensor],
    others: Sequence[tf.Tensor] = (),
    mask: tf.Tensor | None = None,
    adds: bool = False,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Return what `scan` returns, by the definition: an unrolled loop, which the tests compare."""
    products, outputs = [product_with(kernel) for kernel in kernels], []
    for t in range(inputs.shape[0]):
        x = tf.cast(inputs[t], state_dtype(inputs.dtype))
        first = _plus(x, products[0]) if adds else products[0]
        new = step(None if adds else x, states, [first, *products[1:]], others)
        states = _masked(new, states, mask, t)
        outputs.append(tf.cast(states[0], inputs.dtype))
    return list(states), tf.stack(outputs)


def scan(
    step: Step,
    inputs: tf.Tensor,
    states: Sequence[tf.Tensor],
    kernels: Sequence[tf.Tensor],
    others: Sequence[tf.Tensor] = (),
    mask: tf.Tensor | None = None,
    adds: bool = False,
    sequences: bool = True,
    keep: bool = True,
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    """Apply a step to T inputs; return the last states, and the first state after each step.

    Args:
      step: (input [B, N], states, products, others) -> new states. All are of `state_dtype`, and it
        applies each product exactly once. Its gradient does not reach tensors that it captures.
      inputs: [T, B, N], in the type of the products.
      states: the initial states [B, n], cast to `state_dtype`.
      kernels: the matrix [n, m] of each product, of the type of the inputs. This loop casts nothing
        that is the same in every step.
      others: small tensors that the step needs, cast to `state_dtype`.
      mask: bool [T, B]; where it is false, the states stay as they are.
      adds: whether the first product is to be returned with the step's input added, for a step that
        needs the input for nothing else: it gets None as its input. This takes half the memory.
      sequences: whether the first state of each step is needed.
      keep: whether to keep what the gradient needs. Without it, the gradient runs the loop again.

    Returns:
      The last states, and the first state after each step [T, B, n] in the type of the inputs, or
      None.
    """
    wide = state_dtype(inputs.dtype)
    parts = [
        [inputs],
        [tf.cast(s, wide) for s in states],
        kernels,
        [tf.cast(o, wide) for o in others],
    ]
    ends = [sum(len(part) for part in parts[:i]) for i in range(5)]

    @tf.custom_gradient
    def run(*flat: tf.Tensor) -> tuple[list[tf.Tensor], Any]:
        (x,), first, kernels, others = (list(flat[a:b]) for a, b in zip(ends, ends[1:]))
        last, outputs, kept = _forward(step, x, first, kernels, others, mask, adds, sequences, keep)

        def gradient(*upstream: tf.Tensor) -> list[tf.Tensor]:
            again = kept or _forward(step, x, first, kernels, others, mask, adds, False, True)[2]
            to_last = list(upstream[: len(first)])
            to_outputs = upstream[-1] if sequences else None
            return _backward(step, x, kernels, others, mask, adds, again, to_last, to_outputs)

        return last + outputs, gradient

    results = run(*(tensor for part in parts for tensor in part))
    return list(results[: len(states)]), results[-1] if sequences else None


def _forward(
    step: Step,
    inputs: tf.Tensor,
    first: list[tf.Tensor],
    kernels: list[tf.Tensor],
    others: list[tf.Tensor],
    mask: tf.Tensor | None,
    adds: bool,
    sequences: bool,
    keep: bool,
) -> tuple[list[tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
    """Return the last states; [the first state of each step] or []; and what was kept or [].

    What is kept are the states before each step and the products of each step.
    """
    length, batch, dtype = _length(inputs), inputs.shape[1], inputs.dtype

    def array(like: tf.Tensor, dtype: tf.DType) -> tf.TensorArray:
        return tf.TensorArray(dtype, size=length, element_shape=[batch, like.shape[-1]])

    def body(t: tf.Tensor, states: list[tf.Tensor], outputs: Any, kept: Any) -> Any:
        products: list[tf.Tensor] = [None] * len(kernels)

        def noted(i: int) -> Product:
            def product(v: tf.Tensor) -> tf.Tensor:
                products[i] = tf.matmul(tf.cast(v, dtype), kernels[i])
                if adds and i == 0:
                    products[i] += inputs[t]
                return tf.cast(products[i], v.dtype)

            return product

        x = None if adds else tf.cast(inputs[t], states[0].dtype)
        new = step(x, states, [noted(i) for i in range(len(kernels))], others)
        new = _masked(new, states, mask, t)
        outputs = [a.write(t, tf.cast(new[0], dtype)) for a in outputs]
        return t + 1, new, outputs, [a.write(t, k) for a, k in zip(kept, [*states, *products])]

    outputs = [array(first[0], dtype)] if sequences else []
    kept = [array(s, s.dtype) for s in first] + [array(k, dtype) for k in kernels] if keep else []
    loop = (tf.constant(0), first, outputs, kept)
    _, last, outputs, kept = tf.while_loop(lambda t, *_: t < length, body, loop)
    return list(last), [a.stack() for a in outputs], [a.stack() for a in kept]


def _backward(
    step: Step,
    inputs: tf.Tensor,
    kernels: list[tf.Tensor],
    others: list[tf.Tensor],
    mask: tf.Tensor | None,
    adds: bool,
    kept: list[tf.Tensor],
    to_last: list[tf.Tensor],
    to_outputs: tf.Tensor | None,
) -> list[tf.Tensor]:
    """Return the gradients of the inputs, the initial states, the kernels and the others."""
    length, batch, dtype, count = _length(inputs), inputs.shape[1], inputs.dtype, len(to_last)
    transposed = [tf.transpose(kernel) for kernel in kernels]  # twice as fast inside the loop

    def array(width: int) -> tf.TensorArray:
        return tf.TensorArray(dtype, size=length, element_shape=[batch, width])

    def body(i: tf.Tensor, to_states: list[tf.Tensor], to_others: Any, arrays: Any) -> Any:
        t = length - 1 - i
        factors: list[tuple[tf.Tensor, tf.Tensor]] = [(inputs, inputs)] * len(kernels)

        def known(k: int) -> Product:
            @tf.custom_gradient
            def product(v: tf.Tensor) -> tuple[tf.Tensor, Any]:
                def gradient(to_product: tf.Tensor) -> tf.Tensor:
                    factors[k] = (tf.cast(v, dtype), tf.cast(to_product, dtype))
                    return tf.cast(tf.matmul(factors[k][1], transposed[k]), v.dtype)

                return tf.cast(kept[count + k][t], v.dtype), gradient

            return product

        if to_outputs is not None:
            to_states = [to_states[0] + tf.cast(to_outputs[t], to_states[0].dtype), *to_states[1:]]
        before = [states[t] for states in kept[:count]]
        x = [] if adds else [tf.cast(inputs[t], before[0].dtype)]
        with tf.GradientTape() as tape:
            tape.watch([x, before, others])
            after = step(
                x[0] if x else None, before, [known(k) for k in range(len(kernels))], others
            )
            after = _masked(after, before, mask, t)
        to_x, to_before, more = tape.gradient(
            after, [x, before, others], to_states, unconnected_gradients="zero"
        )
        values = [tf.cast(d, dtype) for d in to_x] + [factor for pair in factors for factor in pair]
        arrays = [a.write(t, value) for a, value in zip(arrays, values)]
        return i + 1, to_before, [a + b for a, b in zip(to_others, more)], arrays

    widths = [] if adds else [inputs.shape[-1]]
    widths += [width for kernel in kernels for width in kernel.shape]
    zeros = [tf.zeros_like(other) for other in others]
    loop = (tf.constant(0), to_last, zeros, [array(width) for width in widths])
    _, to_first, to_others, arrays = tf.while_loop(lambda i, *_: i < length, body, loop)
    stacked = [a.stack() for a in arrays]
    to_inputs, factors = (stacked[1], stacked) if adds else (stacked[0], stacked[1:])
    flat = [tf.reshape(factor, [-1, factor.shape[-1]]) for factor in factors]  # [T · B, n]
    to_kernels = [tf.matmul(v, d, transpose_a=True) for v, d in zip(flat[::2], flat[1::2])]
    return [to_inputs, *to_first, *to_kernels, *to_others]


def _plus(x: tf.Tensor, product: Product) -> Product:
    return lambda v: x + product(v)


def _length(inputs: tf.Tensor) -> Any:
    return inputs.shape[0] or tf.shape(inputs)[0]


def _masked(
    new: Sequence[tf.Tensor], old: Sequence[tf.Tensor], mask: tf.Tensor | None, t: Any
) -> list[tf.Tensor]:
    """Return the new states of the rows in mask[t], and the old ones of the others."""
    if mask is None:
        return list(new)
    return [tf.where(mask[t][:, None], a, b) for a, b in zip(new, old)]
