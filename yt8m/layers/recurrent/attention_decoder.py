"""A GRU that reconstructs a sequence of frames while it attends to the outputs of an encoder.

It is no Keras cell, because the RNN of Keras 3 cannot pass the encoder's outputs to its cell.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import masked_softmax
from yt8m.layers.recurrent.cells import GateBias
from yt8m.layers.recurrent.scan import Product, scan


class AttentionDecoder(Yt8mLayer):
    """GRU with normalised additive attention (Bahdanau et al. 2015), fed into the next step.

    At each step, with state h, last attention a and given frame x:
      h' = GRU([x, a], h), whose reset gate acts before the recurrent product;
      e_s = g·(v/‖v‖)·tanh(W_m m_s + W_q h' + b) for each memory m_s, c = Σ_s softmax(e)_s m_s;
      a' = W_a [h', c], and the output frame is W_o a' + b_o.
    Source: docs/sources.md#context-injection.

    Args:
      cells: units of the GRU, and width of the attention.
      frame_size: D, width of the input and output frames.
      memory_size: M, width of the memory and of the vector that the decoder starts from.
      attention_size: hidden width of e; 100 in UTS' code.
      dropout: rate on the given frames and on the attentions before W_o, in training.

    Call: (given frames [B, L, D], start=[B, M], memory=[B, S, M], memory_mask=bool [B, S],
    training) -> frames [B, L, D] in the compute dtype. The first state is tanh(W_s · start + b_s).
    No gradient reaches the memory.
    """

    def __init__(
        self,
        cells: int,
        frame_size: int,
        memory_size: int,
        attention_size: int = 100,
        dropout: float = 0.5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.cells, self.frame_size, self.memory_size = cells, frame_size, memory_size
        self.attention_size = attention_size
        self.drop_given = tf.keras.layers.Dropout(dropout, name="drop_given")
        self.drop_attention = tf.keras.layers.Dropout(dropout, name="drop_attention")

    def build(self, input_shape: Any) -> None:
        """Create every weight."""
        c, d, m, a = self.cells, self.frame_size, self.memory_size, self.attention_size
        shapes = {
            "start": (m, c),
            "given": (d, 3 * c),  # update, reset, candidate
            "attended": (c, 3 * c),
            "gates": (c, 2 * c),
            "candidate": (c, c),
            "memory_keys": (m, a),
            "query": (c, a),
            "mix": (c + m, c),
            "write": (c, d),
        }
        for name, shape in shapes.items():
            setattr(self, f"w_{name}", self.new_weight(name, shape))
        self.b_start = self.new_weight("b_start", (c,), "zeros")
        self.b_gru = self.new_weight("b_gru", (3 * c,), GateBias())
        self.b_score = self.new_weight("b_score", (a,), "zeros")
        self.b_write = self.new_weight("b_write", (d,), "zeros")
        # Only the direction of v counts.
        self.v = self.new_weight("v", (a,), tf.keras.initializers.RandomUniform(-1.0, 1.0))
        self.g = self.new_weight("g", (), tf.keras.initializers.Constant(a**-0.5))
        self.built = True

    def call(
        self,
        given: tf.Tensor,
        start: tf.Tensor,
        memory: tf.Tensor,
        memory_mask: tf.Tensor,
        training: Any = None,
    ) -> tf.Tensor:
        """Return the output frames [B, L, D]."""
        dtype = given.dtype
        names = [name for name in vars(self) if name.startswith("w_")]
        w = {name[2:]: tf.cast(getattr(self, name), dtype) for name in names}
        biases = (self.b_start, self.b_gru, self.b_score, self.b_write)
        b_start, b_gru, b_score, b_write = (tf.cast(b, dtype) for b in biases)
        v = tf.cast(self.g, dtype) * tf.math.l2_normalize(tf.cast(self.v, dtype))
        given = self.drop_given(given, training=training)
        inputs = tf.einsum("bld,dc->blc", given, w["given"]) + b_gru
        inputs = tf.transpose(inputs, [1, 0, 2])  # [L, B, 3 · cells]
        memory = tf.stop_gradient(memory)
        keys = tf.einsum("bsm,ma->bsa", memory, w["memory_keys"]) + b_score  # [B, S, a]
        first = tf.tanh(tf.matmul(start, w["start"]) + b_start)
        kernels = [w[name] for name in ("attended", "gates", "candidate", "query", "mix")]
        states = [tf.zeros_like(first), first]
        step = functools.partial(self._step, memory, memory_mask)
        _, attentions = scan(step, inputs, states, kernels, [keys, v], keep=bool(training))
        attentions = tf.transpose(attentions, [1, 0, 2])  # [B, L, cells]
        attentions = self.drop_attention(attentions, training=training)
        return tf.einsum("blc,cd->bld", attentions, w["write"]) + b_write

    def _step(
        self,
        memory: tf.Tensor,
        memory_mask: tf.Tensor,
        x: tf.Tensor,
        states: Sequence[tf.Tensor],
        products: Sequence[Product],
        others: Sequence[tf.Tensor],
    ) -> list[tf.Tensor]:
        """Return (a', h')."""
        (attention, h), (keys, v), c = states, others, self.cells
        attended, gates, candidate, query, mix = products
        x = x + attended(attention)
        update, reset = tf.split(tf.sigmoid(x[:, : 2 * c] + gates(h)), 2, axis=-1)
        h = update * h + (1.0 - update) * tf.tanh(x[:, 2 * c :] + candidate(reset * h))
        score = tf.einsum("bsa,a->bs", tf.tanh(keys + query(h)[:, None, :]), v)
        weights = tf.cast(masked_softmax(score, memory_mask), memory.dtype)
        context = tf.einsum("bs,bsm->bm", weights, memory)
        return [mix(tf.concat([h, tf.cast(context, h.dtype)], axis=-1)), h]
