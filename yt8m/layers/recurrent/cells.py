"""Recurrent layers by the name of their cell, made so that cuDNN can run them wherever the cell allows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.layers.recurrent.layer_norm_gru import LayerNormGruCell

GRU, LN_GRU, LSTM, LN_LSTM = "gru", "ln_gru", "lstm", "ln_lstm"


@tf.keras.utils.register_keras_serializable(package="yt8m")
class GateBias(tf.keras.initializers.Initializer):
    """Bias of a Keras GRU whose gates start open: `value` for update and reset gate, 0 for the candidate.

    Source: TF1's GRU cells, which UTS used (spec C.0): the state is kept at first, so that a gradient
    reaches the early frames. Of the two rows of `reset_after=True` the first alone is filled.

    Args:
      value: 1 in TF1.
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
        """The constructor argument."""
        return {"value": self.value}


def make_recurrent(
    cell: str,
    cells: int,
    reset_after: bool = True,
    return_sequences: bool = False,
    return_state: bool = False,
    bidirectional: bool = False,
    name: str = "rnn",
) -> tf.keras.layers.Layer:
    """Return a recurrent layer over [B, T, D].

    cuDNN runs "lstm", and "gru" with `reset_after`, while activations are Keras's defaults, no
    recurrent dropout is set and the mask is one of right padding without an empty row; Keras checks
    this itself and runs the same maths by its own loop otherwise. The other cells always take the loop.

    Args:
      cell: "gru"; "lstm"; "ln_gru", UTS' layer-normalised one; "ln_lstm", tensorflow-addons'.
      cells: units.
      reset_after: of "gru": the reset gate acts after the recurrent product, as cuDNN has it. False is
        UTS' cell: it acts on the state before the product.
      return_sequences, return_state: as in Keras.
      bidirectional: a layer for each direction, outputs concatenated; 2 · cells wide.
      name: of the layer.

    Raises:
      ValueError: an unknown cell, or "ln_lstm" where tensorflow-addons is not installed.
    """
    options = {"return_sequences": return_sequences, "return_state": return_state, "name": name}
    if cell == GRU:
        layer = tf.keras.layers.GRU(
            cells, reset_after=reset_after, bias_initializer=GateBias(), **options
        )
    elif cell == LSTM:
        layer = tf.keras.layers.LSTM(cells, unit_forget_bias=True, **options)
    elif cell == LN_GRU:
        layer = tf.keras.layers.RNN(LayerNormGruCell(cells), **options)
    elif cell == LN_LSTM:
        layer = tf.keras.layers.RNN(_addons_lstm_cell(cells), **options)
    else:
        raise ValueError(f"cell is one of {GRU}, {LN_GRU}, {LSTM}, {LN_LSTM}, not {cell!r}")
    if not bidirectional:
        return _without_idle_cudnn(layer)
    both = tf.keras.layers.Bidirectional(layer, name=name)
    for one in (both.forward_layer, both.backward_layer):
        _without_idle_cudnn(one)
    return both


def _without_idle_cudnn(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    """Spare a machine without a GPU what Keras 2 would trace for one.

    Keras 2 traces each such layer twice, as cuDNN's and as its own loop, with both gradients, and picks one
    at run time. The loop is the same without it, and about 30 % less is traced. (Keras 3 asks for a GPU
    first, and has no such attribute.)
    """
    if hasattr(layer, "_could_use_gpu_kernel") and not tf.config.list_physical_devices("GPU"):
        layer._could_use_gpu_kernel = False
    return layer


def _addons_lstm_cell(cells: int) -> tf.keras.layers.Layer:
    try:
        import tensorflow_addons as tfa
    except ImportError:
        raise ValueError(
            f"cell={LN_LSTM} is that of tensorflow-addons, which is not installed here (it is made for TensorFlow 2.15,"
            f" Python 3.11 at most); cell={LSTM} needs nothing more"
        ) from None
    return tfa.rnn.LayerNormLSTMCell(cells)
