"""Labels as a sequence: decoders that say a video's labels in vocabulary order, over frames or over the means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames, NormalizeVideo
from yt8m.layers.pooling.frames import FramePooling
from yt8m.layers.recurrent.label_decoder import LabelDecoder
from yt8m.models.core.base import FrameModel, VideoModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

TRUNKS = ("attention", "mean")


@register("LabelDecoderModel")
class LabelDecoderModel(FrameModel):
    """Sequence label decoding: GRUs with attention over the frames say one label after the other.

    Source: UTS 2.1 (spec C.15). Trained by the cross-entropy of the label sequence, whatever
    `--label_loss` says (which is then what validation reports); predicts by greedy decoding, without
    labels. Frames enter raw, and no encoder lies between, as in the paper's code.

    Args:
      cells: units of each GRU.
      layers: GRUs.
      embedding_size: of a label.
      attention_size: of the additive attention.
      max_labels: longest sequence, without start and end; more labels: a random contiguous run.
      order: "ascending" (the paper's vocabulary order) or "descending" (its code).
      trunk: "attention" over the frames, or "mean", the mean of the frames at every step.
      initial: "priors" starts each step at the label frequencies; "zeros".
      input_norm: "none" as in the paper's code; "l2".

    Raises:
      ValueError: another trunk or order.
    """

    recipe = Recipe(
        base_learning_rate=0.001,
        batch_size=128,
        num_epochs=8,
        clip_gradient_norm=0.0,
        global_clip_norm=5.0,
        weight_average=0.999,
    )
    starter_recipe = {"base_learning_rate": 0.001, "batch_size": 128}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cells: int = 1024,
        layers: int = 2,
        embedding_size: int = 1024,
        attention_size: int = 100,
        max_labels: int = 8,
        order: str = "ascending",
        trunk: str = "attention",
        initial: str = "priors",
        input_norm: str = "none",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm, **kwargs)
        if trunk not in TRUNKS:
            raise ValueError(f"trunk is one of {TRUNKS}, not {trunk!r}")
        self.cells, self.num_layers, self.embedding_size, self.attention_size = (
            cells,
            layers,
            embedding_size,
            attention_size,
        )
        self.max_labels, self.order, self.trunk, self.initial = max_labels, order, trunk, initial
        self.dequantize = DequantizeFrames(self.input_norm)
        self.pool = FramePooling("average") if trunk == "mean" else None
        attention = attention_size if trunk == "attention" else 0
        self.decoder = LabelDecoder(
            num_classes,
            max_labels,
            cells,
            layers,
            embedding_size,
            attention,
            order,
            initial,
            name="decoder",
        )

    def _memory(self, inputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor | None]:
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        return (x, mask) if self.pool is None else (self.pool(x, mask=mask)[:, None, :], None)

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return class scores [B, K] of greedy decoding."""
        memory, mask = self._memory(inputs)
        return self.decoder(memory, mask=mask)

    def training_loss(
        self,
        inputs: dict[str, Any],
        labels: Any,
        weights: Any | None,
        loss: Callable[..., tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (cross-entropy of the label sequence [B], the first step's probabilities [B, K]); `loss` is not used."""
        memory, mask = self._memory(inputs)
        return self.decoder.sequence_loss(memory, labels, weights, mask)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "cells",
            "embedding_size",
            "attention_size",
            "max_labels",
            "order",
            "trunk",
            "initial",
        )
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "layers": self.num_layers,
        }


@register("VideoLabelDecoderModel")
class VideoLabelDecoderModel(VideoModel):
    """Sequence label decoding from video-level features: the label decoder with the means as its only memory.

    Source: UTS 2.1 (spec C.15), for comparing losses on one trunk with `LogisticModel`.

    Args:
      cells, layers, embedding_size, max_labels, order, initial: as `LabelDecoderModel`.
    """

    recipe = Recipe(
        base_learning_rate=0.002,
        batch_size=256,
        num_epochs=10,
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
        embedding_size: int = 1024,
        max_labels: int = 8,
        order: str = "ascending",
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.cells, self.num_layers, self.embedding_size = cells, layers, embedding_size
        self.max_labels, self.order, self.initial = max_labels, order, initial
        self.normalize = NormalizeVideo(self.input_norm)
        self.decoder = LabelDecoder(
            num_classes,
            max_labels,
            cells,
            layers,
            embedding_size,
            0,
            order,
            initial,
            name="decoder",
        )

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return class scores [B, K] of greedy decoding."""
        return self.decoder(self.normalize(inputs["video"])[:, None, :])

    def training_loss(
        self,
        inputs: dict[str, Any],
        labels: Any,
        weights: Any | None,
        loss: Callable[..., tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (cross-entropy of the label sequence [B], the first step's probabilities [B, K]); `loss` is not used."""
        return self.decoder.sequence_loss(
            self.normalize(inputs["video"])[:, None, :], labels, weights
        )

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("cells", "embedding_size", "max_labels", "order", "initial")
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "layers": self.num_layers,
        }
