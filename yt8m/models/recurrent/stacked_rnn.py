"""Stacked recurrent models: layers of one cell over the frames, one or both ways, before a head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.pooling.sequences import make_sequence_pooling
from yt8m.layers.recurrent.cells import make_recurrent
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

STATES = ("top", "concat", "bottom")
FC_POSITIONS = ("top", "between")


def never_empty(mask: tf.Tensor) -> tf.Tensor:
    """Return the mask [B, T] with every first frame true: a video without frames is read as one black frame.

    cuDNN, too, refuses a mask with an empty row.
    """
    return tf.concat([tf.ones_like(mask[:, :1]), mask[:, 1:]], axis=1)


class StackedRecurrentModel(FrameModel):
    """Layers of a recurrent cell, and a mixture of experts on what the last of them says.

    Source: UTS §2.3.1a and §3.2 (spec C.3 to C.6, C.13). A subclass calls `_make_stack` at the end of its
    constructor.

    Args:
      cells: units of each layer (and direction).
      layers: how many.
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class.
      initial: of the head.
      layer_dropout: rate on what goes from layer to layer, in training.
      state_dropout: rate on what goes into the head, in training.
      state: whose output counts: the "top" layer's, "concat" of all layers', or the "bottom" layer's. UTS'
        code took the bottom's in the end (trap E-16); layers above it would never learn and are not made.
      output: "last" state, or of the outputs over time the "mean", "linear" annealing, "attention".
      hops, attention_size: of output="attention" (spec C.13).
      mask_padding: stop at a video's last frame. False reads the padding as black frames, as UTS did;
        predictions then depend on how long the padding is.
    """

    bidirectional: ClassVar[bool] = False
    recipe = Recipe(
        base_learning_rate=0.001,
        batch_size=128,
        num_epochs=5,
        clip_gradient_norm=0.0,
        global_clip_norm=5.0,
        weight_average=0.999,
    )

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cells: int = 1024,
        layers: int = 2,
        head: str = "moe",
        num_mixtures: int = 2,
        initial: str = "priors",
        layer_dropout: float = 0.5,
        state_dropout: float = 0.2,
        state: str = "top",
        output: str = "last",
        hops: int = 5,
        attention_size: int = 100,
        mask_padding: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        if state not in STATES:
            raise ValueError(f"state is one of {', '.join(STATES)}, not {state!r}")
        self.cells, self.num_layers, self.state, self.output_name = cells, layers, state, output
        self.head_name, self.num_mixtures, self.initial = head, num_mixtures, initial
        self.layer_dropout, self.state_dropout = layer_dropout, state_dropout
        self.hops, self.attention_size, self.mask_padding = hops, attention_size, mask_padding
        self.dequantize = DequantizeFrames(self.input_norm)
        self.drop_layer = tf.keras.layers.Dropout(layer_dropout, name="drop_layer")
        self.drop_state = tf.keras.layers.Dropout(state_dropout, name="drop_state")
        self.pool = make_sequence_pooling(output, hops, attention_size)
        self.head = make_head(head, num_classes, num_mixtures, initial)

    def _make_stack(self, cell: str, **options: Any) -> None:
        """Make the layers; `options` go to `make_recurrent`."""
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
        return (
            self.state == "concat" and self.pool is None and i < count - 1
        )  # the top one's state is its output

    def _final_state(self, states: list[tf.Tensor]) -> tf.Tensor:
        """Return the outputs' part of a layer's states: h of (h) or (h, c), for each direction."""
        if self.bidirectional:
            return tf.concat([states[0], states[len(states) // 2]], axis=-1)
        return states[0]

    def between(self, x: tf.Tensor, i: int) -> tf.Tensor:
        """Return what layer i + 1 reads of layer i's outputs [B, T, cells]."""
        return x

    def on_top(self, x: tf.Tensor) -> tf.Tensor:
        """Return what goes to the head of the stack's answer."""
        return x

    def encode(self, x: tf.Tensor, mask: tf.Tensor | None, training: Any = None) -> tf.Tensor:
        """Return the stack's answer for frames [B, T, D] and their mask [B, T]; None: all are true."""
        answers = []
        for i, layer in enumerate(self.stack):
            if i:
                x = self.between(self.drop_layer(x, training=training), i - 1)
            x = layer(x, mask=mask, training=training)
            if self._returns_state(i, len(self.stack)):
                x, states = x[0], x[1:]
                answers.append(self._final_state(states))
            else:
                answers.append(x)
        x = tf.concat(answers, axis=-1) if self.state == "concat" else answers[-1]
        return x if self.pool is None else self.pool(x, mask=mask)

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self.encode(x, never_empty(mask) if self.mask_padding else None, training)
        return self.head(self.drop_state(self.on_top(x), training=training))

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "cells",
            "num_mixtures",
            "initial",
            "layer_dropout",
            "state_dropout",
            "state",
            "hops",
            "attention_size",
            "mask_padding",
        )
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "layers": self.num_layers,
            "head": self.head_name,
            "output": self.output_name,
        }


class _GruStack(StackedRecurrentModel):
    """Adds the GRU's choice of cell.

    Args:
      reset_after: True is the cell that cuDNN runs; False is UTS', whose reset gate acts on the state
        before the recurrent product (spec C.0), by Keras's own loop.
    """

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        reset_after: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.reset_after = reset_after
        self._make_stack("gru", reset_after=reset_after)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "reset_after": self.reset_after}


@register("GruModel")
class GruModel(_GruStack):
    """Stacked GRUs, the top one's last state into a mixture of experts.

    Source: UTS §2.3.1a, Table 2: GRU; GRU+4-mixture is num_mixtures=4, GRU+fc is fc_size=1024
    (spec C.3, C.5, C.6).

    Args:
      fc_size: width of a linear layer on the GRU's states; 0 has none.
      fc_position: "top", on the last state; "between", on the outputs of each layer but the top one, as in UTS' code.
    """

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        fc_size: int = 0,
        fc_position: str = "top",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        if fc_position not in FC_POSITIONS:
            raise ValueError(
                f"fc_position is one of {', '.join(FC_POSITIONS)}, not {fc_position!r}"
            )
        if fc_size and fc_position == "between" and len(self.stack) < 2:
            raise ValueError('fc_position="between" needs two layers or more')
        self.fc_size, self.fc_position = fc_size, fc_position
        count = (len(self.stack) - 1 if fc_position == "between" else 1) if fc_size else 0
        self.fc = [tf.keras.layers.Dense(fc_size, name=f"fc_{i}") for i in range(count)]

    def between(self, x: tf.Tensor, i: int) -> tf.Tensor:
        """Return what layer i + 1 reads of layer i's outputs [B, T, cells]."""
        return self.fc[i](x) if self.fc_size and self.fc_position == "between" else x

    def on_top(self, x: tf.Tensor) -> tf.Tensor:
        """Return what goes to the head of the stack's answer."""
        return self.fc[0](x) if self.fc_size and self.fc_position == "top" else x

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "fc_size": self.fc_size, "fc_position": self.fc_position}


@register("BiGruModel")
class BiGruModel(_GruStack):
    """Stacked GRUs read both ways, the last states of both into a mixture of experts.

    Source: UTS §3.2, Table 2; the structure is ours (spec C.4): each layer reads the outputs of both
    directions of the one below.
    """

    bidirectional = True


@register("BiLstmModel")
class BiLstmModel(StackedRecurrentModel):
    """Stacked LSTMs read both ways, the last states of both into a mixture of experts.

    Source: UTS §3.2, Table 2; the structure is ours (spec C.4).

    Args:
      cell: "lstm", or "ln_lstm", tensorflow-addons' layer-normalised one, where that is installed.
    """

    bidirectional = True

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cell: str = "lstm",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.cell = lstm_cell(cell)
        self._make_stack(cell)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "cell": self.cell}


def lstm_cell(cell: str) -> str:
    """Return `cell`, checked to be "lstm" or "ln_lstm"."""
    if cell not in ("lstm", "ln_lstm"):
        raise ValueError(f"cell is lstm or ln_lstm, not {cell!r}")
    return cell
