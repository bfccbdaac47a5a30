"""Stacked recurrent models: layers of one cell over the frames, in one or both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.pooling.sequences import SequenceOutput, make_sequence_pooling
from yt8m.layers.recurrent.cells import Cell, make_recurrent
from yt8m.models.core.base import FrameModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.recurrent.common import RECURRENT_ARGUMENTS, RECURRENT_RECIPE, never_empty

State = Literal["top", "concat", "bottom"]


class StackedRecurrentModel(ChosenHead, FrameModel):
    """Layers of a recurrent cell, with a mixture of experts on their final output.

    Source: UTS §2.3.1a and §3.2 (docs/sources.md#stacked-gru-and-lstm). A subclass calls
    `_make_stack` at the end of its constructor.

    Args:
      cells: units of each layer (in each direction).
      layers: number of layers.
      layer_dropout: rate between the layers in training.
      state_dropout: rate before the head in training.
      state: output that the head sees: that of the "top" layer, the "concat" of all layers, or that
        of the "bottom" layer. UTS' code took the bottom layer in the end
        (docs/sources.md#state-of-a-stack); the layers above it would never be trained and are not
        created.
      output: the "last" state, or the "mean", "linear" annealing or "attention" over the outputs.
      hops, attention_size: parameters of output="attention" (docs/sources.md#attention-pooling).
      mask_padding: stop at the last frame of a video. False reads the padding as black frames, as
        UTS did; predictions then depend on the length of the padding.
    """

    bidirectional: ClassVar[bool] = False
    recipe = RECURRENT_RECIPE
    recipe_arguments = RECURRENT_ARGUMENTS

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cells: int = 1024,
        layers: int = 2,
        layer_dropout: float = 0.5,
        state_dropout: float = 0.2,
        state: State = "top",
        output: SequenceOutput = "last",
        hops: int = 5,
        attention_size: int = 100,
        mask_padding: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.cells, self.num_layers = cells, layers
        self.state, self.mask_padding = one_of("state", state, State), mask_padding
        self.dequantize = DequantizeFrames(self.input_norm)
        self.drop_layer = tf.keras.layers.Dropout(layer_dropout, name="drop_layer")
        self.drop_state = tf.keras.layers.Dropout(state_dropout, name="drop_state")
        self.pool = make_sequence_pooling(output, hops, attention_size)
        self.head = self.make_head()

    def _make_stack(self, cell: Cell, **options: Any) -> None:
        """Create the layers; `options` go to `make_recurrent`."""
        count = 1 if self.state == "bottom" else self.num_layers
        self.stack = [
            make_recurrent(
                cell,
                self.cells,
                return_sequences=i < count - 1 or self.pool is not None,
                return_state=self._returns_state(i, count),
                bidirectional=self.bidirectional,
                name=f"{cell}_{i}",
                **options,
            )
            for i in range(count)
        ]

    def _returns_state(self, i: int, count: int) -> bool:
        """Whether layer i returns its state; the output of the top layer already is its state."""
        return self.state == "concat" and self.pool is None and i < count - 1

    def _final_state(self, states: list[tf.Tensor]) -> tf.Tensor:
        """Return h, concatenated over the directions, from a layer's states: (h) or (h, c) each."""
        if self.bidirectional:
            return tf.concat([states[0], states[len(states) // 2]], axis=-1)
        return states[0]

    def between(self, x: tf.Tensor, i: int) -> tf.Tensor:
        """Return the input of layer i + 1 for the outputs [B, T, cells] of layer i."""
        return x

    def on_top(self, x: tf.Tensor) -> tf.Tensor:
        """Return the input of the head for the output of the stack."""
        return x

    def encode(self, x: tf.Tensor, mask: tf.Tensor | None, training: Any = None) -> tf.Tensor:
        """Return the output of the stack.

        Args:
          x: frames [B, T, D].
          mask: [B, T], or None if all frames are true.
          training: whether dropout is active.
        """
        outputs = []
        for i, layer in enumerate(self.stack):
            if i:
                x = self.between(self.drop_layer(x, training=training), i - 1)
            x = layer(x, mask=mask, training=training)
            if self._returns_state(i, len(self.stack)):
                x, states = x[0], x[1:]
                outputs.append(self._final_state(states))
            else:
                outputs.append(x)
        x = tf.concat(outputs, axis=-1) if self.state == "concat" else outputs[-1]
        return x if self.pool is None else self.pool(x, mask=mask)

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self.encode(x, never_empty(mask) if self.mask_padding else None, training)
        return self.head(self.drop_state(self.on_top(x), training=training))
