"""UTS' multi-scale GRU: a GRU for each of several frame rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.recurrent.cells import make_recurrent
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register
from yt8m.models.recurrent.stacked_rnn import never_empty


@register("MultiScaleGruModel")
class MultiScaleGruModel(FrameModel):
    """GRUs over every frame, every third and every sixth, their last states into a mixture of experts.

    Source: UTS §2.3.1d, Table 3; no code of it is known, so the numbers are ours (spec C.11, trap E-18).

    Args:
      intervals: frames from one that a GRU reads to the next; a GRU each, from the first frame on. A GRU
        of interval r reads ceil(num_frames / r) frames. In text, "1,3,6" does too.
      cells: units of each.
      state_dropout: rate on the concatenated states.
      reset_after: True is the cell that cuDNN runs; False is UTS' (spec C.0).
      mask_padding: stop at a video's last frame; False reads on through the padding, as UTS did (trap E-15).
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class.
      initial: of the head.
    """

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
        intervals: str | Sequence[int] = (1, 3, 6),
        cells: int = 1024,
        state_dropout: float = 0.5,
        reset_after: bool = True,
        mask_padding: bool = True,
        head: str = "moe",
        num_mixtures: int = 2,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        parts = intervals.split(",") if isinstance(intervals, str) else intervals
        self._intervals = ",".join(
            str(int(i)) for i in parts
        )  # a string: Keras 2 would wrap a tuple
        if min(self.intervals) < 1:
            raise ValueError(f"intervals are 1 or more frames, not {self._intervals}")
        self.cells, self.state_dropout, self.reset_after = cells, state_dropout, reset_after
        self.mask_padding = mask_padding
        self.head_name, self.num_mixtures, self.initial = head, num_mixtures, initial
        self.dequantize = DequantizeFrames(self.input_norm)
        self.scales = [
            make_recurrent("gru", cells, reset_after, name=f"every_{r}") for r in self.intervals
        ]
        self.drop_state = tf.keras.layers.Dropout(state_dropout, name="drop_state")
        self.head = make_head(head, num_classes, num_mixtures, initial)

    @property
    def intervals(self) -> list[int]:
        """Frames from one that a GRU reads to the next, a GRU each."""
        return [int(i) for i in self._intervals.split(",")]

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        mask = never_empty(mask) if self.mask_padding else tf.ones_like(mask)
        # Frame i · r of a video exists for i < ceil(num_frames / r): the mask is thinned out like the frames.
        states = [
            rnn(x[:, ::r], mask=mask[:, ::r], training=training)
            for r, rnn in zip(self.intervals, self.scales)
        ]
        return self.head(self.drop_state(tf.concat(states, axis=-1), training=training))

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "intervals",
            "cells",
            "state_dropout",
            "reset_after",
            "mask_padding",
            "num_mixtures",
            "initial",
        )
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "head": self.head_name,
        }
