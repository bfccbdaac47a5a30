"""UTS' stacked GRUs, unidirectional and bidirectional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.models.core.registry import register
from yt8m.models.recurrent.stacked_rnn import StackedRecurrentModel

FcPosition = Literal["top", "between"]


class _GruStack(StackedRecurrentModel):
    """A stack of GRUs with options for their form.

    Args:
      reset_after: True is the cell that cuDNN runs. False is UTS' cell, whose reset gate acts on
        the state before the recurrent product (docs/sources.md#gru-cell); it runs in Keras's own
        loop.
    """

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        reset_after: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self._make_stack("gru", reset_after=reset_after)


@register("GruModel")
class GruModel(_GruStack):
    """Stacked GRUs, the top one's last state into a mixture of experts.

    Source: UTS §2.3.1a, Table 2: GRU. GRU+4-mixture is num_mixtures=4, and GRU+fc is fc_size=1024
    (docs/sources.md#stacked-gru-and-lstm, docs/sources.md#gru-variants).

    Args:
      fc_size: width of a linear layer on the states of the GRU; 0 is no such layer.
      fc_position: "top", on the last state; or "between", on the outputs of each layer but the top
        one, as in UTS' code.

    Raises:
      ValueError: fc_position="between" with a single layer.
    """

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        fc_size: int = 0,
        fc_position: FcPosition = "top",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.fc_size, self.fc_position = fc_size, one_of("fc_position", fc_position, FcPosition)
        count = len(self.stack) - 1 if fc_position == "between" else 1
        if fc_size and not count:
            raise ValueError('fc_position="between" needs at least two layers')
        self.fc = [
            tf.keras.layers.Dense(fc_size, name=f"fc_{i}") for i in range(count if fc_size else 0)
        ]

    def between(self, x: tf.Tensor, i: int) -> tf.Tensor:
        """Return the input of layer i + 1 for the outputs [B, T, cells] of layer i."""
        return self.fc[i](x) if self.fc_size and self.fc_position == "between" else x

    def on_top(self, x: tf.Tensor) -> tf.Tensor:
        """Return the input of the head for the output of the stack."""
        return self.fc[0](x) if self.fc_size and self.fc_position == "top" else x


@register("BiGruModel")
class BiGruModel(_GruStack):
    """Bidirectional stacked GRUs, both last states into a mixture of experts.

    Source: UTS §3.2, Table 2. The structure is ours (docs/sources.md#bidirectional-stacks): each
    layer reads the outputs of both directions of the layer below.
    """

    bidirectional = True
