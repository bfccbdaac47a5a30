"""UTS' hierarchical GRU: a GRU over the frames of each window, a GRU over the windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.pooling.sequences import make_sequence_pooling
from yt8m.layers.recurrent.cells import make_recurrent
from yt8m.layers.recurrent.random_order import RandomOrder
from yt8m.layers.recurrent.windowed import WindowedRecurrent
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register
from yt8m.models.recurrent.stacked_rnn import never_empty


@register("HierarchicalGruModel", "HGRU")
class HierarchicalGruModel(FrameModel):
    """A GRU over windows of frames, a hidden mixture of experts, a GRU over the windows, a mixture of experts.

    Source: UTS §2.3.1c, §3.2, Table 3: HGRU; HGRU@20 is num_windows=20, the random order is
    random_order=train (spec C.8, C.10, C.13).

    A window is `window_size` frames from the start of the video, however long the batch's padding is,
    and there are as many as the batch is long: so a prediction does not depend on padding. (Were a
    batch cut into a number of windows, longer padding would make them longer.)

    Args:
      window_size: frames of a window: 20, which makes UTS' 15 windows of 300 frames. UTS' text calls
        the 15 "window size" (trap E-4).
      num_windows: instead of window_size, windows in `max_frames` frames; 0 leaves window_size as it is.
      max_frames: with num_windows alone, which then means window_size = max_frames / num_windows, rounded up.
      cells: units of both GRUs and width of the hidden mixture.
      hidden_mixtures: linear experts of the hidden mixture: 4 in UTS' code, where the text says 2 (trap E-5).
      hidden_dropout: rate after the hidden mixture.
      state_dropout: rate on what goes into the head.
      carry_state: see `WindowedRecurrent`.
      reset_after: True is the cell that cuDNN runs; False is UTS' (spec C.0).
      output: "last" state of the second GRU, or of its outputs over the windows the "mean", "linear"
        annealing, "attention".
      hops, attention_size: of output="attention" (spec C.13).
      random_order: see `RandomOrder`.
      mask_padding: stop at a video's last frame; False reads on through the padding, as UTS did (trap E-15).
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class.
      initial: of the head.
    """

    cell: ClassVar[str] = "gru"
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
        window_size: int = 20,
        num_windows: int = 0,
        max_frames: int = 300,
        cells: int = 1024,
        hidden_mixtures: int = 4,
        hidden_dropout: float = 0.5,
        state_dropout: float = 0.2,
        carry_state: str = "moe_stopgrad",
        reset_after: bool = True,
        output: str = "last",
        hops: int = 5,
        attention_size: int = 100,
        random_order: str = "none",
        mask_padding: bool = True,
        head: str = "moe",
        num_mixtures: int = 2,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.window_size, self.num_windows, self.max_frames = window_size, num_windows, max_frames
        self.frames_a_window = -(-max_frames // num_windows) if num_windows else window_size
        if self.frames_a_window < 1:
            raise ValueError(
                f"a window has {self.frames_a_window} frames (window_size, num_windows, max_frames); at least 1 is needed"
            )
        self.cells, self.hidden_mixtures, self.hidden_dropout = (
            cells,
            hidden_mixtures,
            hidden_dropout,
        )
        self.state_dropout, self.carry_state, self.reset_after = (
            state_dropout,
            carry_state,
            reset_after,
        )
        self.output_name, self.hops, self.attention_size, self.random_order = (
            output,
            hops,
            attention_size,
            random_order,
        )
        self.mask_padding, self.head_name, self.num_mixtures, self.initial = (
            mask_padding,
            head,
            num_mixtures,
            initial,
        )
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
        self.head = make_head(head, num_classes, num_mixtures, initial)

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        frames, count, size = inputs["frames"], inputs["num_frames"], self.frames_a_window
        frames = self.shuffle(frames, num_frames=count, training=training)
        total = frames.shape[1] or tf.shape(frames)[1]
        windows = -(-total // size)
        frames = tf.pad(frames, [[0, 0], [0, windows * size - total], [0, 0]])
        x, mask = self.dequantize(frames, num_frames=count)  # [B, S · W, D], [B, S · W]
        x = tf.reshape(x, [-1, windows, size, self.feature_size])
        mask = tf.reshape(mask if self.mask_padding else tf.ones_like(mask), [-1, windows, size])
        x = self.first(x, mask=mask, training=training)  # [B, S, H]
        windows_mask = never_empty(mask[:, :, 0])
        x = self.second(x, mask=windows_mask, training=training)
        if self.pool is not None:
            x = self.pool(x, mask=windows_mask)
        return self.head(self.drop_state(x, training=training))

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "window_size",
            "num_windows",
            "max_frames",
            "cells",
            "hidden_mixtures",
            "hidden_dropout",
            "state_dropout",
        )
        names += (
            "carry_state",
            "reset_after",
            "hops",
            "attention_size",
            "random_order",
            "mask_padding",
            "num_mixtures",
            "initial",
        )
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "output": self.output_name,
            "head": self.head_name,
        }


@register("LayerNormHierarchicalGruModel", "LNHGRU")
class LayerNormHierarchicalGruModel(HierarchicalGruModel):
    """The hierarchical GRU with layer-normalised cells in both levels.

    Source: UTS §3.2, Table 3: LN HGRU (spec C.9). The cell has one form: reset_after says nothing here,
    and cuDNN does not know it.
    """

    cell = "ln_gru"
