"""A GRU that writes a sequence of frames, looking back at what an encoder read; its loop is our own.

The attention of a step goes into the next one, so the steps cannot be taken together, and Keras 3's RNN has
no way to give its cell the encoder's outputs.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.recurrent.cells import GateBias


@tf.keras.utils.register_keras_serializable(package="yt8m")
class AttentionDecoder(tf.keras.layers.Layer):
    """GRU with normalised additive attention (Bahdanau et al. 2015), its attention fed into the next step (spec C.7).

    At each step, of state h, last attention a and given frame x:
      h' = GRU([x, a], h), its reset gate acting before the recurrent product
      e_s = g·(v/‖v‖)·tanh(W_m m_s + W_q h' + b), softmax over the memory m, c = Σ_s softmax(e)_s m_s
      a' = W_a [h', c], and the written frame W_o a' + b_o.

    Args:
      cells: units, and width of the attention.
      frame_size: D of the frames that are read and written.
      memory_size: width M of the memory and of what the decoder starts from.
      attention_size: width of e's hidden layer; 100 in UTS' code.
      dropout: rate on the given frames and on the attentions before W_o, in training.

    Call: (given frames [B, L, D], start=[B, M], memory=[B, S, M], memory_mask=bool [B, S], training) -> frames
    [B, L, D] in the compute dtype. The first state is tanh(W_s · start + b_s).
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
        self.attention_size, self.dropout = attention_size, dropout
        self.drop_given = tf.keras.layers.Dropout(dropout, name="drop_given")
        self.drop_attention = tf.keras.layers.Dropout(dropout, name="drop_attention")

    def build(self, input_shape: Any) -> None:
        """Make every weight."""
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
            weight = self.add_weight(
                name=name, shape=shape, initializer="glorot_uniform", trainable=True
            )
            setattr(self, f"w_{name}", weight)
        self.b_start = self.add_weight(
            name="b_start", shape=(c,), initializer="zeros", trainable=True
        )
        self.b_gru = self.add_weight(
            name="b_gru", shape=(3 * c,), initializer=GateBias(), trainable=True
        )
        self.b_score = self.add_weight(
            name="b_score", shape=(a,), initializer="zeros", trainable=True
        )
        self.b_write = self.add_weight(
            name="b_write", shape=(d,), initializer="zeros", trainable=True
        )
        small = tf.keras.initializers.RandomUniform(-1.0, 1.0)  # only its direction counts
        self.v = self.add_weight(name="v", shape=(a,), initializer=small, trainable=True)
        gain = tf.keras.initializers.Constant(a**-0.5)
        self.g = self.add_weight(name="g", shape=(), initializer=gain, trainable=True)
        self.built = True

    def call(
        self,
        given: tf.Tensor,
        start: tf.Tensor,
        memory: tf.Tensor,
        memory_mask: tf.Tensor,
        training: Any = None,
    ) -> tf.Tensor:
        """Return the written frames [B, L, D]."""
        dtype, length = given.dtype, int(given.shape[1])
        w = {
            name[2:]: tf.cast(value, dtype)
            for name, value in vars(self).items()
            if name.startswith("w_")
        }
        b_start, b_gru, b_score, b_write = (
            tf.cast(b, dtype) for b in (self.b_start, self.b_gru, self.b_score, self.b_write)
        )
        v = tf.cast(self.g, dtype) * tf.math.l2_normalize(tf.cast(self.v, dtype))
        given = self.drop_given(given, training=training)
        inputs = tf.transpose(
            tf.einsum("bld,dc->blc", given, w["given"]) + b_gru, [1, 0, 2]
        )  # [L, B, 3 · cells]
        keys = tf.einsum("bsm,ma->bsa", memory, w["memory_keys"]) + b_score  # [B, S, a]
        c = self.cells

        def step(t: tf.Tensor, h: tf.Tensor, attention: tf.Tensor, out: tf.TensorArray) -> Any:
            x = inputs[t] + tf.matmul(attention, w["attended"])
            gates = tf.sigmoid(x[:, : 2 * c] + tf.matmul(h, w["gates"]))
            update, reset = gates[:, :c], gates[:, c:]
            candidate = tf.tanh(x[:, 2 * c :] + tf.matmul(reset * h, w["candidate"]))
            h = update * h + (1.0 - update) * candidate
            score = tf.einsum("bsa,a->bs", tf.tanh(keys + tf.matmul(h, w["query"])[:, None, :]), v)
            weights = tf.nn.softmax(tf.where(memory_mask, tf.cast(score, tf.float32), -1e9))
            context = tf.einsum("bs,bsm->bm", tf.cast(weights, dtype), memory)
            attention = tf.matmul(tf.concat([h, context], axis=-1), w["mix"])
            return t + 1, h, attention, out.write(t, attention)

        first = tf.tanh(tf.matmul(start, w["start"]) + b_start)
        written = tf.TensorArray(dtype, size=length, element_shape=[None, c])
        *_, written = tf.while_loop(
            lambda t, *_: t < length,
            step,
            (tf.constant(0), first, tf.zeros_like(first), written),
            maximum_iterations=length,  # XLA needs it for the gradient
        )
        attentions = tf.transpose(written.stack(), [1, 0, 2])  # [B, L, cells]
        return (
            tf.einsum("blc,cd->bld", self.drop_attention(attentions, training=training), w["write"])
            + b_write
        )

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("cells", "frame_size", "memory_size", "attention_size", "dropout")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}
