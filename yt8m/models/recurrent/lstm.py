"""Stacked LSTMs over the frames: the starter code's model, and by options UTS'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yt8m.models.core.registry import register
from yt8m.models.recurrent.stacked_rnn import StackedRecurrentModel, lstm_cell


@register("LstmModel")
class LstmModel(StackedRecurrentModel):
    """Stacked LSTMs, the top one's last state into a mixture of experts.

    Source: starter code (spec A.12), which has no dropout; UTS' row "LSTM" of Table 2 is
    layer_dropout=0.5, state_dropout=0.2 (spec C.3). Padding is masked: the last state is that of the
    last true frame.

    Args:
      layer_dropout, state_dropout: see `StackedRecurrentModel`, which has the other arguments.
      cell: "lstm", or "ln_lstm", tensorflow-addons' layer-normalised one, where that is installed.
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
        cell: str = "lstm",
        **kwargs: Any,
    ):
        super().__init__(
            num_classes,
            feature_sizes,
            layer_dropout=layer_dropout,
            state_dropout=state_dropout,
            **kwargs,
        )
        self.cell = lstm_cell(cell)
        self._make_stack(cell)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "cell": self.cell}
