"""Recurrent layers by the name of their cell; cuDNN runs them if the cell allows it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.recurrent import looped
from yt8m.layers.recurrent.layer_norm_gru import LayerNormGruCell

Cell = Literal["gru", "ln_gru", "lstm", "ln_lstm"]


@tf.keras.utils.register_keras_serializable(package="yt8m")
class GateBias(tf.keras.initializers.Initializer):
    """Initial bias of a GRU: `value` for the update and reset gates, 0 for the candidate.

    The gates start open, so the state is kept at first and a gradient reaches the early frames. Of
    the two rows of a bias with `reset_after=True`, only the first is set. Source: TF1's GRU cells,
    which UTS used (docs/sources.md#gru-cell).

    Args:
      value: bias of both gates; 1 in TF1.
    """

    def __init__(self, value: float = 1.0):
        self.value = float(value)

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> tf.Tensor:
        """Return the bias, [3 · units] or [2, 3 · units]."""
        bias = np.zeros([int(n) for n in shape])
        first = bias if bias.ndim == 1 else bias[0]  # a view
        first[: 2 * (len(first) // 3)] = self.value
        return tf.constant(bias, dtype=dtype or tf.float32)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's argument."""
        return {"value": self.value}


def make_recurrent(
    cell: Cell,
    cells: int,
    reset_after: bool = True,
    return_sequences: bool = False,
    return_state: bool = False,
    bidirectional: bool = False,
    name: str = "rnn",
) -> tf.keras.layers.Layer:
    """Return a recurrent layer over [B, T, D].

    On a GPU, cuDNN runs "lstm", and "gru" with `reset_after`, where the mask marks right padding
    without an empty row. Keras checks this itself, and otherwise runs the same maths in its own
    loop. Without a GPU, these layers run in the loop of `scan`, and "ln_gru" and "gru" without
    `reset_after` do so everywhere. "ln_lstm" always runs in Keras's loop.

    Args:
      cell: "gru"; "lstm"; "ln_gru", UTS' layer-normalised GRU; or "ln_lstm", tensorflow-addons'
        LSTM.
      cells: units.
      reset_after: for "gru": whether the reset gate acts after the recurrent product, as in cuDNN.
        In UTS' cell (False) it acts on the state before the product.
      return_sequences: as in Keras.
      return_state: as in Keras.
      bidirectional: a layer for each direction; their outputs are concatenated, 2 · cells wide.
      name: name of the layer.

    Raises:
      ValueError: the cell is unknown, or is "ln_lstm" where tensorflow-addons is not installed.
    """
    one_of("cell", cell, Cell)
    options = {"return_sequences": return_sequences, "return_state": return_state, "name": name}
    if cell == "gru":
        options = {"reset_after": reset_after, "bias_initializer": GateBias(), **options}
        layer = looped.GRU(cells, **options)
    elif cell == "lstm":
        layer = looped.LSTM(cells, unit_forget_bias=True, **options)
    elif cell == "ln_gru":
        layer = looped.RNN(LayerNormGruCell(cells), **options)
    else:
        layer = tf.keras.layers.RNN(_addons_lstm_cell(cells), **options)
    return tf.keras.layers.Bidirectional(layer, name=name) if bidirectional else layer


def _addons_lstm_cell(cells: int) -> tf.keras.layers.Layer:
    try:
        import tensorflow_addons as tfa
    except ImportError:
        raise ValueError(
            "cell=ln_lstm needs tensorflow-addons, which is not installed here (it works with"
            " TensorFlow 2.15 and Python 3.11 at most); cell=lstm works without it"
        ) from None
    return tfa.rnn.LayerNormLSTMCell(cells)
