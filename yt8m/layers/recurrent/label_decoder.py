"""A recurrent decoder that says a video's labels one after the other: the head of the label-sequence models."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.layers.recurrent.label_sequences import ORDERS, label_sequences

_END_AT_START = 0.1  # probability of the end token before anything is learnt


@tf.custom_gradient
def _rows(table: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Return `table[index]` [B, E]; its gradient is dense, as clipping, XLA and the all-reduce want it."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return tf.math.unsorted_segment_sum(upstream, index, table.shape[0]), None

    return tf.gather(table, index), gradient


@tf.keras.utils.register_keras_serializable(package="yt8m")
class LabelDecoder(tf.keras.layers.Layer):
    """GRUs that attend to the frames and emit one label a step, a softmax over K classes and pad, start and end.

    Source: UTS 2.1 (spec C.15). Our departures from its code: no ground-truth label is ever fed in
    prediction, and scores are not truncated to integers.

    Args:
      num_classes: K.
      max_labels: L; a decoded sequence has at most L labels and the end token.
      cells: units of each GRU.
      layers: how many.
      embedding_size: of a token.
      attention_size: of the additive attention, queried by the top GRU's last state; 0: none, the
        context is the mean of the memory.
      order: "ascending" or "descending" vocabulary order.
      initial: "priors" lets `initialize_from_priors` act; "zeros" does not.

    Input: memory [B, T, D] with `mask` bool [B, T]. Output: class scores [B, K] float32 of greedy
    decoding, each the highest probability of the class in any step before the end token (the first
    step always counts).

    Raises:
      ValueError: another order or initial.
    """

    def __init__(
        self,
        num_classes: int,
        max_labels: int = 8,
        cells: int = 1024,
        layers: int = 2,
        embedding_size: int = 1024,
        attention_size: int = 100,
        order: str = "ascending",
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if order not in ORDERS or initial not in ("priors", "zeros"):
            raise ValueError(
                f'order is one of {ORDERS} and initial "priors" or "zeros", not {order!r}, {initial!r}'
            )
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost
        self.num_classes, self.max_labels, self.units, self.depth = (
            int(num_classes),
            int(max_labels),
            cells,
            layers,
        )
        self.embedding_size, self.attention_size, self.order, self.initial = (
            embedding_size,
            attention_size,
            order,
            initial,
        )
        self.start, self.end, self.tokens = (
            self.num_classes + 1,
            self.num_classes + 2,
            self.num_classes + 3,
        )

    def build(self, input_shape: Any) -> None:
        """Make the weights for memory [B, T, D]."""
        width, units = int(input_shape[-1]), self.units
        self.embedding = self._weight("embedding", (self.tokens, self.embedding_size), "uniform")
        if self.attention_size:
            self.w_x = self._weight("w_x", (width, self.attention_size), "glorot_uniform")
            self.b_x = self._weight("b_x", (self.attention_size,), "zeros")
            self.w_q = self._weight("w_q", (units, self.attention_size), "glorot_uniform")
            self.v = self._weight("v", (self.attention_size, 1), "glorot_uniform")
        # Gates start open (1), the candidate at 0, as TensorFlow 1 has it and the papers' code with it.
        open_gates = tf.constant_initializer(np.repeat([1.0, 0.0], [2 * units, units]))
        self.inputs, self.recurrent, self.gates, self.inner = [], [], [], []
        for i in range(self.depth):
            size = self.embedding_size + width if i == 0 else units
            self.inputs.append(self._weight(f"inputs_{i}", (size, 3 * units), "glorot_uniform"))
            self.recurrent.append(self._weight(f"recurrent_{i}", (units, 3 * units), "orthogonal"))
            self.gates.append(self._weight(f"gates_{i}", (3 * units,), open_gates))
            self.inner.append(self._weight(f"inner_{i}", (units,), "zeros"))
        # Small, so that the biases decide at the start, and they are the label frequencies.
        small = tf.keras.initializers.VarianceScaling(0.1, "fan_avg", "uniform")
        self.kernel = self._weight("kernel", (units + width, self.tokens), small)
        self.bias = self._weight("bias", (self.tokens,), "zeros")
        self.built = True

    def _weight(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=True)

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start each step at the labels' shares of all labels.

        Steps sum to one over the tokens, so the scores start in proportion to the priors [K], and
        below them where these sum to more than one label a video.
        """
        if self.initial != "priors":
            return
        p = np.asarray(priors, np.float64)
        p = np.concatenate([(1.0 - _END_AT_START) * p / p.sum(), [1e-6, 1e-6, _END_AT_START]])
        self.bias.assign(np.log(np.maximum(p, 1e-9)).astype(np.float32))

    def _begin(self, memory: tf.Tensor, mask: tf.Tensor | None) -> tuple[Any, list[tf.Tensor]]:
        """Return what every step attends to, and the zero states."""
        memory = tf.cast(memory, self.compute_dtype)
        states = [tf.zeros([tf.shape(memory)[0], self.units], memory.dtype)] * self.depth
        weight = tf.ones(tf.shape(memory)[:2], tf.bool) if mask is None else mask
        if not self.attention_size:
            weight = tf.cast(weight, memory.dtype)[:, :, None]
            return tf.math.divide_no_nan(
                tf.reduce_sum(weight * memory, axis=1), tf.reduce_sum(weight, axis=1)
            ), states
        w_x, b_x = (tf.cast(w, memory.dtype) for w in (self.w_x, self.b_x))
        keys = tf.einsum("btd,da->bta", memory, w_x) + b_x  # [B, T, A]
        return (memory, keys, weight), states

    def _context(self, attended: Any, query: tf.Tensor) -> tf.Tensor:
        """Return the attention's mean of the memory [B, D] for a state [B, units] (Bahdanau's additive form)."""
        if not self.attention_size:
            return attended
        memory, keys, weight = attended
        w_q, v = (tf.cast(w, memory.dtype) for w in (self.w_q, self.v))
        hidden = tf.tanh(keys + tf.matmul(query, w_q)[:, None, :])
        scores = tf.cast(tf.einsum("bta,ao->bto", hidden, v)[:, :, 0], tf.float32)  # [B, T]
        attention = tf.nn.softmax(tf.where(weight, scores, -1e9), axis=1)
        return tf.einsum("bt,btd->bd", tf.cast(attention, memory.dtype), memory)

    def _step(
        self, attended: Any, token: tf.Tensor, states: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Feed a token [B]; return the features that say the next one [B, units + D], and the new states."""
        context = self._context(attended, states[-1])
        x = tf.concat([_rows(tf.cast(self.embedding, context.dtype), token), context], axis=-1)
        following = []
        for i, state in enumerate(states):
            x = self._gru(i, x, state)
            following.append(x)
        return tf.concat([x, context], axis=-1), following

    def _gru(self, i: int, x: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        """Return the new state [B, units] of GRU `i` (reset after the recurrent product, as cuDNN has it).

        Keras' own cell is the same in three times as many operations, which an unrolled loop pays for in tracing.
        """
        w, u, b, c = (
            tf.cast(weight[i], x.dtype)
            for weight in (self.inputs, self.recurrent, self.gates, self.inner)
        )
        from_x, from_h, n = tf.matmul(x, w) + b, tf.matmul(h, u), self.units
        gates = tf.sigmoid(from_x[:, : 2 * n] + from_h[:, : 2 * n])
        candidate = tf.tanh(from_x[:, 2 * n :] + gates[:, n:] * (from_h[:, 2 * n :] + c))
        return candidate + gates[:, :n] * (h - candidate)

    def _logits(self, features: tf.Tensor) -> tf.Tensor:
        """Return float32 [N, K + 3] of features [N, units + D]."""
        product = tf.matmul(features, tf.cast(self.kernel, features.dtype))
        return tf.cast(product, tf.float32) + tf.cast(self.bias, tf.float32)

    def call(self, memory: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return class scores [B, K]; no label is looked at."""
        attended, states = self._begin(memory, mask)
        token = tf.fill([tf.shape(memory)[0]], self.start)
        speaking = tf.ones_like(token, tf.bool)
        scores = None
        # Pad and start are never chosen, whatever their probability.
        choosable = tf.constant([0.0] * self.num_classes + [-1e9, -1e9, 0.0])
        for _ in range(
            self.max_labels + 1
        ):  # unrolled: the steps are few, and XLA wants their number
            features, states = self._step(attended, token, states)
            logits = self._logits(features)
            p = tf.nn.softmax(logits)[:, : self.num_classes]  # [B, K]
            token = tf.argmax(logits + choosable, axis=-1, output_type=tf.int32)
            speaking = speaking & (token != self.end)
            scores = (
                p if scores is None else tf.maximum(scores, tf.where(speaking[:, None], p, 0.0))
            )
        return scores

    def sequence_loss(
        self,
        memory: tf.Tensor,
        labels: tf.Tensor,
        weights: tf.Tensor | None = None,
        mask: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (−log P(label sequence | memory) [B], the first step's probabilities [B, K]), by teacher forcing.

        The probabilities are for the training log: the first step is the only one that no label has touched.

        Args:
          memory: [B, T, D].
          labels: multi-hot [B, K]; of longer sets a random contiguous run of L is learnt.
          weights: [B, K], the weight of a label's step; the end's is 1 and padding's 0.
          mask: bool [B, T].
        """
        draw = tf.random.uniform([tf.shape(labels)[0]])
        targets, lengths = label_sequences(labels, self.max_labels, self.order, draw)  # [B, L + 1]
        attended, states = self._begin(memory, mask)
        token, said = tf.fill([tf.shape(targets)[0]], self.start), []
        for step in range(self.max_labels + 1):
            features, states = self._step(attended, token, states)
            said.append(features)
            token = targets[:, step]
        features = tf.stack(said, axis=1)  # [B, L + 1, units + D]
        logits = self._logits(tf.reshape(features, [-1, features.shape[-1]]))
        logits = tf.reshape(logits, [-1, self.max_labels + 1, self.tokens])
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)  # [B, L + 1]
        weight = tf.cast(tf.range(self.max_labels + 1)[None, :] < lengths[:, None], tf.float32)
        if weights is not None:
            of_class = tf.gather(
                tf.cast(weights, tf.float32),
                tf.minimum(targets, self.num_classes - 1),
                batch_dims=1,
            )
            weight = weight * tf.where(targets < self.num_classes, of_class, 1.0)
        first = tf.nn.softmax(tf.stop_gradient(logits[:, 0]))[:, : self.num_classes]
        return tf.reduce_sum(weight * each, axis=-1), first

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "num_classes",
            "max_labels",
            "embedding_size",
            "attention_size",
            "order",
            "initial",
        )
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "cells": self.units, "layers": self.depth}
