"""A recurrent decoder that outputs a video's labels one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.compat import NO_AUTOCAST
from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.masks import mask_or_all, masked_softmax
from yt8m.layers.recurrent.label_sequences import LabelOrder, label_sequences

_END_AT_START = 0.1  # probability of the end token in an untrained decoder


@tf.custom_gradient
def _rows(table: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Return `table[index]` [B, E] with a dense gradient, as clipping, XLA and all-reduce need."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return tf.math.unsorted_segment_sum(upstream, index, table.shape[0]), None

    return tf.gather(table, index), gradient


class LabelDecoder(Yt8mLayer):
    """GRUs that attend to the frames and output a softmax over labels and tokens at each step.

    Source: UTS 2.1 (docs/sources.md#label-decoding). Unlike its code, prediction never feeds in a
    ground-truth label, and scores are not truncated to integers.

    Args:
      num_classes: K.
      max_labels: L; a decoded sequence has at most L labels and the end token.
      cells: units of each GRU.
      layers: number of GRUs.
      embedding_size: width of a token's embedding.
      attention_size: hidden width of the additive attention, whose query is the last state of the
        top GRU; with 0 there is none, and the context is the mean of the memory.
      order: "ascending" or "descending" vocabulary order.
      initial: "priors" lets `initialize_from_priors` act; "zeros" does not.

    Call: (memory [B, T, D], mask=bool [B, T] or None) -> class scores float32 [B, K] of greedy
    decoding: the highest probability of each class in any step before the end token. The first step
    always counts.

    Raises:
      ValueError: the order or initial is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        max_labels: int = 8,
        cells: int = 1024,
        layers: int = 2,
        embedding_size: int = 1024,
        attention_size: int = 100,
        order: LabelOrder = "ascending",
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.order = one_of("order", order, LabelOrder)
        self.initial = one_of("initial", initial, Initial)
        self.num_classes, self.max_labels = int(num_classes), int(max_labels)
        self.units, self.depth = cells, layers
        self.embedding_size, self.attention_size = embedding_size, attention_size
        self.start, self.end = self.num_classes + 1, self.num_classes + 2
        self.tokens = self.num_classes + 3

    def build(self, input_shape: Any) -> None:
        """Create the weights for memory [B, T, D]."""
        width, units, attention = int(input_shape[-1]), self.units, self.attention_size
        # Only rows of the table are cast, not the table.
        table = (self.tokens, self.embedding_size)
        self.embedding = self.new_weight("embedding", table, "uniform", **NO_AUTOCAST)
        if attention:
            self.w_x = self.new_weight("w_x", (width, attention))
            self.b_x = self.new_weight("b_x", (attention,), "zeros")
            self.w_q = self.new_weight("w_q", (units, attention))
            self.v = self.new_weight("v", (attention, 1))
        # As in TensorFlow 1 and the papers' code, gates start open (1) and the candidate at 0.
        open_gates = tf.constant_initializer(np.repeat([1.0, 0.0], [2 * units, units]))
        self.inputs, self.recurrent, self.gates, self.inner = [], [], [], []
        for i in range(self.depth):
            size = self.embedding_size + width if i == 0 else units
            self.inputs.append(self.new_weight(f"inputs_{i}", (size, 3 * units)))
            recurrent = self.new_weight(f"recurrent_{i}", (units, 3 * units), "orthogonal")
            self.recurrent.append(recurrent)
            self.gates.append(self.new_weight(f"gates_{i}", (3 * units,), open_gates))
            self.inner.append(self.new_weight(f"inner_{i}", (units,), "zeros"))
        # The kernel is small, so that at the start the biases decide: the label frequencies.
        small = tf.keras.initializers.VarianceScaling(0.1, "fan_avg", "uniform")
        self.kernel = self.new_weight("kernel", (units + width, self.tokens), small)
        self.bias = self.new_weight("bias", (self.tokens,), "zeros")
        self.built = True

    def initialize_from_priors(self, priors: NDArray[Any]) -> None:
        """Make an untrained decoder predict each label's share of all labels at every step.

        A step's probabilities sum to one over the tokens. So the scores start in proportion to the
        priors, and below them where the priors sum to more than one label a video.

        Args:
          priors: label frequencies [K].
        """
        if self.initial != "priors":
            return
        p = np.asarray(priors, np.float64)
        p = np.concatenate([(1.0 - _END_AT_START) * p / p.sum(), [1e-6, 1e-6, _END_AT_START]])
        self.bias.assign(np.log(np.maximum(p, 1e-9)).astype(np.float32))

    def _begin(self, memory: tf.Tensor, mask: tf.Tensor | None) -> tuple[Any, Any, list[tf.Tensor]]:
        """Return what every step attends to, the weights, and the initial states, which are zeros.

        The weights of each GRU, and last the kernel, are cast here, once for all steps.
        """
        memory = tf.cast(memory, self.compute_dtype)
        layers = zip(self.inputs, self.recurrent, self.gates, self.inner)
        cast = [[tf.cast(w, memory.dtype) for w in layer] for layer in layers]
        cast.append(tf.cast(self.kernel, memory.dtype))
        states = [tf.zeros([tf.shape(memory)[0], self.units], memory.dtype)] * self.depth
        mask = mask_or_all(mask, memory)
        if not self.attention_size:
            weight = tf.cast(mask, memory.dtype)[:, :, None]
            total = tf.reduce_sum(weight * memory, axis=1)
            return tf.math.divide_no_nan(total, tf.reduce_sum(weight, axis=1)), cast, states
        attending = (self.w_x, self.b_x, self.w_q, self.v)
        w_x, b_x, w_q, v = (tf.cast(w, memory.dtype) for w in attending)
        keys = tf.einsum("btd,da->bta", memory, w_x) + b_x  # [B, T, A]
        return (memory, keys, mask, w_q, v), cast, states

    def _context(self, attended: Any, query: tf.Tensor) -> tf.Tensor:
        """Return the mean of the memory [B, D], weighted by Bahdanau's attention for a state."""
        if not self.attention_size:
            return attended
        memory, keys, mask, w_q, v = attended
        hidden = tf.tanh(keys + tf.matmul(query, w_q)[:, None, :])
        scores = tf.einsum("bta,ao->bto", hidden, v)[:, :, 0]  # [B, T]
        attention = tf.cast(masked_softmax(scores, mask), memory.dtype)
        return tf.einsum("bt,btd->bd", attention, memory)

    def _step(
        self, attended: Any, cast: Any, token: tf.Tensor, states: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the features [B, units + D] of the token after `token` [B, E], and the states."""
        context = self._context(attended, states[-1])
        x = tf.concat([token, context], axis=-1)
        following = []
        for weights, state in zip(cast, states):
            x = self._gru(weights, x, state)
            following.append(x)
        return tf.concat([x, context], axis=-1), following

    def _embed(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return the rows of tokens [N] in the table, [N, E] in the compute type."""
        return tf.cast(_rows(tf.convert_to_tensor(self.embedding), tokens), self.compute_dtype)

    def _gru(self, weights: list[tf.Tensor], x: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        """Return the new state [B, units] of a GRU, which resets after the recurrent product.

        Keras's own cell computes the same in three times as many operations, which would slow down
        the tracing of an unrolled loop.
        """
        w, u, b, c = weights
        from_x, from_h, n = tf.matmul(x, w) + b, tf.matmul(h, u), self.units
        gates = tf.sigmoid(from_x[:, : 2 * n] + from_h[:, : 2 * n])
        candidate = tf.tanh(from_x[:, 2 * n :] + gates[:, n:] * (from_h[:, 2 * n :] + c))
        return candidate + gates[:, :n] * (h - candidate)

    def _logits(self, features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return float32 [N, K + 3] for features [N, units + D]."""
        product = tf.matmul(features, kernel)
        return tf.cast(product, tf.float32) + tf.cast(self.bias, tf.float32)

    def call(self, memory: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return class scores [B, K]; no labels are used."""
        attended, cast, states = self._begin(memory, mask)
        token = tf.fill([tf.shape(memory)[0]], self.start)
        unfinished = tf.ones_like(token, tf.bool)
        scores = None
        # The padding and start tokens are never chosen, whatever their probability.
        choosable = tf.constant([0.0] * self.num_classes + [-1e9, -1e9, 0.0])
        # The loop is unrolled: it has few steps, and XLA needs to know their number.
        for _ in range(self.max_labels + 1):
            features, states = self._step(attended, cast, self._embed(token), states)
            logits = self._logits(features, cast[-1])
            p = tf.nn.softmax(logits)[:, : self.num_classes]  # [B, K]
            token = tf.argmax(logits + choosable, axis=-1, output_type=tf.int32)
            unfinished = unfinished & (token != self.end)
            if scores is None:
                scores = p
            else:
                scores = tf.maximum(scores, tf.where(unfinished[:, None], p, 0.0))
        return scores

    def sequence_loss(
        self,
        memory: tf.Tensor,
        labels: tf.Tensor,
        weights: tf.Tensor | None = None,
        mask: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (−log P(label sequence | memory) [B], the first step's probabilities [B, K]).

        The decoder is fed with the true labels. The probabilities are for the training log: only
        the first step has not seen a label.

        Args:
          memory: [B, T, D].
          labels: multi-hot [B, K]; of more than L labels, only a random contiguous run of L is
            used.
          weights: [B, K], the weight of each label's step; the end token has 1, the padding 0.
          mask: bool [B, T].
        """
        draw = tf.random.uniform([tf.shape(labels)[0]])
        targets, lengths = label_sequences(labels, self.max_labels, self.order, draw)  # [B, L + 1]
        attended, cast, states = self._begin(memory, mask)
        given = tf.pad(targets[:, :-1], [[0, 0], [1, 0]], constant_values=self.start)  # [B, L + 1]
        steps = self.max_labels + 1
        tokens = tf.split(self._embed(tf.reshape(tf.transpose(given), [-1])), steps)  # [B, E] each
        each_step = []
        for token in tokens:
            features, states = self._step(attended, cast, token, states)
            each_step.append(features)
        features = tf.stack(each_step, axis=1)  # [B, L + 1, units + D]
        logits = self._logits(tf.reshape(features, [-1, features.shape[-1]]), cast[-1])
        logits = tf.reshape(logits, [-1, steps, self.tokens])
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)  # [B, L + 1]
        weight = tf.cast(tf.range(steps)[None, :] < lengths[:, None], tf.float32)
        if weights is not None:
            classes = tf.minimum(targets, self.num_classes - 1)
            of_class = tf.gather(tf.cast(weights, tf.float32), classes, batch_dims=1)
            weight = weight * tf.where(targets < self.num_classes, of_class, 1.0)
        first = tf.nn.softmax(tf.stop_gradient(logits[:, 0]))[:, : self.num_classes]
        return tf.reduce_sum(weight * each, axis=-1), first
