"""UTS' hierarchical GRU: a GRU over the frames of each window, and a GRU over the windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.pooling.sequences import SequenceOutput, make_sequence_pooling
from yt8m.layers.recurrent.cells import make_recurrent
from yt8m.layers.recurrent.random_order import OrderMode, RandomOrder
from yt8m.layers.recurrent.windowed import Carry, WindowCell, WindowedRecurrent
from yt8m.models.core.base import FrameModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.registry import register
from yt8m.models.recurrent.common import (
    RECURRENT_ARGUMENTS,
    RECURRENT_RECIPE,
    never_empty,
    padded_to_windows,
)


@register("HierarchicalGruModel", "HGRU")
class HierarchicalGruModel(ChosenHead, FrameModel):
    """A GRU over windows of frames, a hidden mixture of experts, and a GRU over the windows.

    Source: UTS §2.3.1c, §3.2, Table 3: HGRU. HGRU@20 is num_windows=20, and the random order is
    random_order=train (docs/sources.md#hierarchical-gru, docs/sources.md#random-order).

    A window has `window_size` frames, counted from the start of the video, and there are as many
    windows as the batch needs. So a prediction does not depend on the padding, as it would if each
    batch were cut into a fixed number of windows.

    Args:
      window_size: frames in a window. The default of 20 makes UTS' 15 windows of 300 frames; UTS'
        text calls the 15 "window size" (docs/sources.md#window-size).
      num_windows: number of windows in `max_frames` frames, in place of window_size; 0 keeps
        window_size.
      max_frames: with num_windows only, which then means window_size = max_frames / num_windows,
        rounded up.
      cells: units of both GRUs and width of the hidden mixture.
      hidden_mixtures: number of linear experts of the hidden mixture: 4 in UTS' code, where the
        text says 2 (docs/sources.md#hidden-mixture).
      hidden_dropout: rate after the hidden mixture.
      state_dropout: rate before the head.
      carry_state: see `WindowedRecurrent`.
      reset_after: True is the cell that cuDNN runs; False is UTS' cell (docs/sources.md#gru-cell).
      output: the "last" state of the second GRU, or the "mean", "linear" annealing or "attention"
        over its outputs.
      hops, attention_size: parameters of output="attention" (docs/sources.md#attention-pooling).
      random_order: see `RandomOrder`.
      mask_padding: stop at the last frame of a video. False reads on through the padding, as UTS
        did (docs/sources.md#padding).

    Raises:
      ValueError: a window would have no frame.
    """

    cell: ClassVar[WindowCell] = "gru"
    recipe = RECURRENT_RECIPE
    recipe_arguments = RECURRENT_ARGUMENTS

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        window_size: int = 20,
        num_windows: int = 0,
        max_frames: int = 300,
        cells: int = 1024,
        hidden_mixtures: int = 4,
        hidden_dropout: float = 0.5,
        state_dropout: float = 0.2,
        carry_state: Carry = "moe_stopgrad",
        reset_after: bool = True,
        output: SequenceOutput = "last",
        hops: int = 5,
        attention_size: int = 100,
        random_order: OrderMode = "none",
        mask_padding: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.frames_a_window = -(-max_frames // num_windows) if num_windows else window_size
        if self.frames_a_window < 1:
            raise ValueError(
                f"a window needs at least 1 frame, but has {self.frames_a_window}; check"
                " window_size, num_windows and max_frames"
            )
        self.mask_padding = mask_padding
        self.shuffle = RandomOrder(random_order, name="shuffle")
        self.dequantize = DequantizeFrames(self.input_norm)
        self.first = WindowedRecurrent(
            self.cell,
            cells,
            hidden_mixtures,
            hidden_dropout,
            carry_state,
            reset_after,
            name="first",
        )
        self.pool = make_sequence_pooling(output, hops, attention_size)
        self.second = make_recurrent(
            self.cell, cells, reset_after, return_sequences=self.pool is not None, name="second"
        )
        self.drop_state = tf.keras.layers.Dropout(state_dropout, name="drop_state")
        self.head = self.make_head()

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        count, size = inputs["num_frames"], self.frames_a_window
        frames = self.shuffle(inputs["frames"], num_frames=count, training=training)
        frames, windows = padded_to_windows(frames, size)
        x, mask = self.dequantize(frames, num_frames=count)  # [B, S · W, D], [B, S · W]
        x = tf.reshape(x, [-1, windows, size, self.feature_size])
        mask = tf.reshape(mask if self.mask_padding else tf.ones_like(mask), [-1, windows, size])
        x = self.first(x, mask=mask, training=training)  # [B, S, H]
        windows_mask = never_empty(mask[:, :, 0])
        x = self.second(x, mask=windows_mask, training=training)
        if self.pool is not None:
            x = self.pool(x, mask=windows_mask)
        return self.head(self.drop_state(x, training=training))


@register("LayerNormHierarchicalGruModel", "LNHGRU")
class LayerNormHierarchicalGruModel(HierarchicalGruModel):
    """The hierarchical GRU with layer-normalised cells in both levels.

    Source: UTS §3.2, Table 3: LN HGRU (docs/sources.md#layer-normalised-gru). The cell has a single
    form, which cuDNN does not support; reset_after has no effect.
    """

    cell = "ln_gru"
