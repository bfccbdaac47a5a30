"""UTS' multi-scale GRU: one GRU per frame rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.recurrent.cells import make_recurrent
from yt8m.models.core.arguments import Integers, integers
from yt8m.models.core.base import FrameModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.registry import register
from yt8m.models.recurrent.common import RECURRENT_ARGUMENTS, RECURRENT_RECIPE, never_empty


@register("MultiScaleGruModel")
class MultiScaleGruModel(ChosenHead, FrameModel):
    """GRUs over every, every third and every sixth frame, their last states into one mixture.

    Source: UTS §2.3.1d, Table 3. Its code is not available, so the numbers are ours
    (docs/sources.md#multi-scale-gru).

    Args:
      intervals: for each GRU, the distance in frames from one that it reads to the next, from the
        first frame on. A GRU with interval r reads ceil(num_frames / r) frames. The text "1,3,6" is
        accepted as well.
      cells: units of each GRU.
      state_dropout: rate on the concatenated states.
      reset_after: True is the cell that cuDNN runs; False is UTS' cell (docs/sources.md#gru-cell).
      mask_padding: stop at the last frame of a video. False reads on through the padding, as UTS
        did (docs/sources.md#padding).
    """

    recipe = RECURRENT_RECIPE
    recipe_arguments = RECURRENT_ARGUMENTS

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        intervals: Integers = (1, 3, 6),
        cells: int = 1024,
        state_dropout: float = 0.5,
        reset_after: bool = True,
        mask_padding: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.record_arguments(intervals=integers(intervals, "intervals"))
        self.mask_padding = mask_padding
        self.dequantize = DequantizeFrames(self.input_norm)
        self.scales = [
            make_recurrent("gru", cells, reset_after, name=f"every_{r}") for r in self.intervals
        ]
        self.drop_state = tf.keras.layers.Dropout(state_dropout, name="drop_state")
        self.head = self.make_head()

    @property
    def intervals(self) -> list[int]:
        """The distance in frames between the inputs of each GRU."""
        return self.recorded_arguments()["intervals"]

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        mask = never_empty(mask) if self.mask_padding else tf.ones_like(mask)
        # Frame i · r of a video exists for i < ceil(num_frames / r), so the mask is thinned out in
        # the same way as the frames.
        states = [
            rnn(x[:, ::r], mask=mask[:, ::r], training=training)
            for r, rnn in zip(self.intervals, self.scales)
        ]
        return self.head(self.drop_state(tf.concat(states, axis=-1), training=training))
