"""The first level of UTS' hierarchical GRU: a recurrent layer over windows that pass on a state."""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.recurrent.cells import make_recurrent

Carry = Literal["moe_stopgrad", "gru_stopgrad", "none"]
WindowCell = Literal["gru", "ln_gru"]


class WindowedRecurrent(Yt8mLayer):
    """A recurrent layer over windows; a mixture of linear experts and dropout on each final state.

    Source: UTS §2.3.1c, §3.2 and its h_lstm code (docs/sources.md#hierarchical-gru). No gradient
    crosses the border of a window, so training needs the loop over windows only for the states. The
    loop runs forward and stores nothing else; then all windows run in parallel with gradients, as
    one batch of B · S sequences of W frames. This takes a third more arithmetic, but
    back-propagation has W steps instead of S · W, and the graph has one copy of the layer, not S.

    Args:
      cell: "gru" or "ln_gru".
      cells: H, units of the recurrent layer and width of the mixture.
      num_mixtures: linear experts, without the dummy that the gates have besides.
      dropout: rate after the mixture, in training; it also applies to the state that is passed on.
      carry_state: where window i + 1 starts: "moe_stopgrad", at the output of window i;
        "gru_stopgrad", at its final state; "none", at zeros.
      reset_after: for "gru"; see `make_recurrent`.
      l2: weight of Σw²/2 of the mixture's kernels.

    Call: (x [B, S, W, D], mask=bool [B, S, W] of right-padded videos, training) -> [B, S, H], 0 in
    a window without a true frame. (No window with frames comes after such a window.)
    """

    def __init__(
        self,
        cell: WindowCell = "gru",
        cells: int = 1024,
        num_mixtures: int = 4,
        dropout: float = 0.5,
        carry_state: Carry = "moe_stopgrad",
        reset_after: bool = True,
        l2: float = 1e-12,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.carry_state = one_of("carry_state", carry_state, Carry)
        self.cells = cells
        self.rnn = make_recurrent(cell, cells, reset_after, name="rnn")
        self.hidden = MixtureOfExperts(cells, num_mixtures, activation=None, l2=l2, name="hidden")
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")

    def build(self, input_shape: Any) -> None:
        """Create all weights here, because both layers are first called inside a loop."""
        self.rnn.build((None, None, int(input_shape[-1])))
        self.hidden.build((None, self.cells))
        self.built = True

    def _answer(self, final: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.hidden(final), final.dtype)

    def call(self, x: tf.Tensor, mask: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Return each window's output [B, S, H]."""
        batch, windows, frames = tf.shape(x)[0], x.shape[1] or tf.shape(x)[1], x.shape[2]
        # cuDNN accepts no empty row, so each window has a true frame here; empty ones give 0 below.
        steps = tf.concat([tf.ones_like(mask[:, :, :1]), mask[:, :, 1:]], axis=2)
        ones = tf.ones([batch, windows, self.cells], x.dtype)
        keep = self.drop(ones, training=training)  # 0 or 1 / (1 − rate)
        fed, run = self.rnn.prepare(tf.transpose(x, [2, 0, 1, 3]))  # [W, B, S, N]
        if self.carry_state == "moe_stopgrad" and not training:
            out = self._starts(fed, run, steps, keep, windows)[:, 1:]
        else:
            start = tf.zeros([batch, windows, self.cells], x.dtype)
            if self.carry_state != "none":
                start = tf.stop_gradient(self._starts(fed, run, steps, keep, windows - 1))
            fed = tf.reshape(fed, [frames, -1, fed.shape[3]])  # [W, B · S, N]
            start, mask_of_all = (
                tf.reshape(start, [-1, self.cells]),
                tf.reshape(steps, [-1, frames]),
            )
            final = run(fed, [start], mask_of_all, training)  # [B · S, H]
            out = tf.reshape(self._answer(final), [-1, windows, self.cells]) * keep
        return out * tf.cast(mask[:, :, :1], out.dtype)

    def _starts(
        self, fed: tf.Tensor, run: Any, steps: tf.Tensor, keep: tf.Tensor, count: Any
    ) -> tf.Tensor:
        """Return the initial state, 0, and the states that `count` windows pass on.

        Returns:
          [B, 1 + count, H].
        """
        batch, dtype = tf.shape(keep)[0], keep.dtype

        def window(i: tf.Tensor, state: tf.Tensor, handed: tf.TensorArray) -> Any:
            state = run(fed[:, :, i], [state], steps[:, i], False)
            if self.carry_state == "moe_stopgrad":
                state = self._answer(state) * keep[:, i]
            state = tf.ensure_shape(state, [None, self.cells])
            return i + 1, state, handed.write(i + 1, state)

        zeros = tf.zeros([batch, self.cells], dtype)
        # The array holds the zeros too: TensorFlow cannot stack an empty one of an unknown batch
        # size.
        shape = [keep.shape[0], self.cells]
        handed = tf.TensorArray(dtype, size=count + 1, element_shape=shape).write(0, zeros)
        loop = (tf.constant(0), zeros, handed)
        _, _, handed = tf.while_loop(
            lambda i, *_: i < count, window, loop, maximum_iterations=count
        )
        return tf.transpose(handed.stack(), [1, 0, 2])
