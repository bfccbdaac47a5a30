"""The first level of UTS' hierarchical GRU: one recurrent layer over each window, whose state goes on to the next."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.recurrent.cells import make_recurrent

CARRIES = ("moe_stopgrad", "gru_stopgrad", "none")


@tf.keras.utils.register_keras_serializable(package="yt8m")
class WindowedRecurrent(tf.keras.layers.Layer):
    """A recurrent layer over windows, then a hidden mixture of linear experts and dropout on each final state.

    Source: UTS §2.3.1c, §3.2 and its h_lstm code (spec C.8). No gradient crosses a window's border, so
    training needs the loop over windows for the states alone: it runs forward without keeping
    anything, and then all windows side by side, as one batch of B · S sequences of W frames, with
    gradient. That is a third more arithmetic, in return for W steps of back-propagation in place of
    S · W, and for one graph of the layer in place of S.

    Args:
      cell: "gru" or "ln_gru".
      cells: units H, and the width of the mixture.
      num_mixtures: linear experts, without the dummy that the gates have besides.
      dropout: rate after the mixture, in training; what is carried on has gone through it.
      carry_state: where window i + 1 starts: "moe_stopgrad", at window i's output; "gru_stopgrad", at
        its final state; "none", at zeros.
      reset_after: of "gru".
      l2: of the mixture's kernels.

    Input [B, S, W, D] with `mask` bool [B, S, W] of a right-padded video; output [B, S, H], 0 in a window
    without a true frame. (Nothing is carried past such a window, as none with frames comes after it.)
    """

    def __init__(
        self,
        cell: str = "gru",
        cells: int = 1024,
        num_mixtures: int = 4,
        dropout: float = 0.5,
        carry_state: str = "moe_stopgrad",
        reset_after: bool = True,
        l2: float = 1e-12,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost
        if carry_state not in CARRIES:
            raise ValueError(f"carry_state is one of {', '.join(CARRIES)}, not {carry_state!r}")
        self.cell_name, self.cells, self.num_mixtures, self.rate = (
            cell,
            cells,
            num_mixtures,
            dropout,
        )
        self.carry_state, self.reset_after, self.l2 = carry_state, reset_after, l2
        self.rnn = make_recurrent(cell, cells, reset_after, name="rnn")
        self.hidden = MixtureOfExperts(cells, num_mixtures, activation=None, l2=l2, name="hidden")
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")

    def build(self, input_shape: Any) -> None:
        """Make the recurrent layer's and the mixture's weights: both are first called within a loop."""
        self.rnn.build((None, None, int(input_shape[-1])))
        self.hidden.build((None, self.cells))
        self.built = True

    def _answer(self, final: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.hidden(final), final.dtype)

    def call(self, x: tf.Tensor, mask: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Return each window's output [B, S, H]."""
        batch, windows, frames = tf.shape(x)[0], x.shape[1] or tf.shape(x)[1], x.shape[2]
        # One true frame at least: a window without any is answered, and put aside below; cuDNN wants no empty row.
        steps = tf.concat([tf.ones_like(mask[:, :, :1]), mask[:, :, 1:]], axis=2)
        keep = self.drop(
            tf.ones([batch, windows, self.cells], x.dtype), training=training
        )  # 0 or 1 / (1 − rate)
        if self.carry_state == "moe_stopgrad" and not training:
            out = self._starts(x, steps, keep, windows)[:, 1:]
        else:
            start = tf.zeros([batch, windows, self.cells], x.dtype)
            if self.carry_state != "none":
                start = tf.stop_gradient(self._starts(x, steps, keep, windows - 1))
            final = self.rnn(
                tf.reshape(x, [-1, frames, x.shape[3]]),
                initial_state=[tf.reshape(start, [-1, self.cells])],
                mask=tf.reshape(steps, [-1, frames]),
                training=training,
            )  # [B · S, H]
            out = tf.reshape(self._answer(final), [-1, windows, self.cells]) * keep
        return out * tf.cast(mask[:, :, :1], out.dtype)

    def _starts(self, x: tf.Tensor, steps: tf.Tensor, keep: tf.Tensor, count: Any) -> tf.Tensor:
        """Return zeros, where the first window begins, and then what each of the first `count` hands on, [B, 1 + count, H]."""
        batch = tf.shape(x)[0]

        def window(i: tf.Tensor, state: tf.Tensor, handed: tf.TensorArray) -> Any:
            state = self.rnn(x[:, i], initial_state=[state], mask=steps[:, i], training=False)
            if self.carry_state == "moe_stopgrad":
                state = self._answer(state) * keep[:, i]
            state = tf.ensure_shape(state, [None, self.cells])
            return i + 1, state, handed.write(i + 1, state)

        zeros = tf.zeros([batch, self.cells], x.dtype)
        # Never empty, which a video of one window would leave it: TensorFlow cannot stack nothing of an open batch size.
        handed = tf.TensorArray(
            x.dtype, size=count + 1, element_shape=[x.shape[0], self.cells]
        ).write(0, zeros)
        start = (tf.constant(0), zeros, handed)
        _, _, handed = tf.while_loop(
            lambda i, *_: i < count, window, start, maximum_iterations=count
        )
        return tf.transpose(handed.stack(), [1, 0, 2])

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output: each layer is given its own."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("cells", "num_mixtures", "carry_state", "reset_after", "l2")
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "cell": self.cell_name,
            "dropout": self.rate,
        }
