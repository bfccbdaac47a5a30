"""Stacked LSTMs: the model of the starter code and, with other options, those of UTS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from yt8m.errors import one_of
from yt8m.models.core.registry import register
from yt8m.models.recurrent.stacked_rnn import StackedRecurrentModel

LstmCell = Literal["lstm", "ln_lstm"]


class _LstmStack(StackedRecurrentModel):
    """A stack of LSTMs with options for their form.

    Args:
      cell: "lstm", or "ln_lstm", the layer-normalised cell of tensorflow-addons if that is
        installed.
    """

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cell: LstmCell = "lstm",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self._make_stack(one_of("cell", cell, LstmCell))


@register("BiLstmModel")
class BiLstmModel(_LstmStack):
    """Bidirectional stacked LSTMs, both last states into a mixture of experts.

    Source: UTS §3.2, Table 2; the structure is ours (docs/sources.md#bidirectional-stacks).
    """

    bidirectional = True


@register("LstmModel")
class LstmModel(_LstmStack):
    """Stacked LSTMs, the top one's last state into a mixture of experts.

    Source: starter code (docs/sources.md#starter-lstm), which has no dropout. UTS' row "LSTM" of
    Table 2 is layer_dropout=0.5, state_dropout=0.2 (docs/sources.md#stacked-gru-and-lstm). Padding
    is masked: the last state is that of the last true frame.

    Args:
      layer_dropout, state_dropout: see `StackedRecurrentModel`, which has the other arguments.
    """

    starter_flags = {
        "lstm_cells": "cells",
        "lstm_layers": "layers",
        "moe_num_mixtures": "num_mixtures",
        "video_level_classifier_model": "head",
    }
    starter_arguments = {"initial": "zeros"}
    starter_recipe = {"base_learning_rate": 0.001, "batch_size": 128}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        layer_dropout: float = 0.0,
        state_dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(
            num_classes,
            feature_sizes,
            layer_dropout=layer_dropout,
            state_dropout=state_dropout,
            **kwargs,
        )
