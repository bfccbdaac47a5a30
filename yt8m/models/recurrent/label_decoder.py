"""Label decoders, which output the labels of a video as a sequence in vocabulary order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.dequantize import DequantizeFrames, InputNorm, NormalizeVideo
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.pooling.frames import FramePooling
from yt8m.layers.recurrent.label_decoder import LabelDecoder
from yt8m.layers.recurrent.label_sequences import LabelOrder
from yt8m.models.core.base import FrameModel, Inputs, Loss, VideoModel, Yt8mModel
from yt8m.models.core.registry import register
from yt8m.models.recurrent.common import RECURRENT_RECIPE

Trunk = Literal["attention", "mean"]


class _LabelDecoding(Yt8mModel):
    """A model that ends in a `LabelDecoder`, `self.decoder`.

    It is trained on the cross-entropy of the label sequence, whatever `--label_loss` is; validation
    reports that loss. It predicts by greedy decoding, without labels.
    """

    uses_label_loss = False
    decoder: LabelDecoder

    def memory(self, inputs: Inputs) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return the decoder's memory [B, T, D] and its mask [B, T] (None if all true)."""
        raise NotImplementedError

    def call(self, inputs: Inputs, training: Any = None) -> tf.Tensor:
        """Return class scores [B, K] of greedy decoding."""
        memory, mask = self.memory(inputs)
        return self.decoder(memory, mask=mask)

    def training_loss(
        self, inputs: Inputs, labels: Any, weights: Any | None, loss: Loss
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (cross-entropy of the label sequence [B], first step's probabilities [B, K]).

        The argument `loss` is not used.
        """
        memory, mask = self.memory(inputs)
        return self.decoder.sequence_loss(memory, labels, weights, mask)


@register("LabelDecoderModel")
class LabelDecoderModel(_LabelDecoding, FrameModel):
    """Sequence label decoding: GRUs with attention over the frames output one label per step.

    Source: UTS 2.1 (docs/sources.md#label-decoding). The frames are not normalised, and there is no
    encoder before the decoder, as in the paper's code.

    Args:
      cells: units of each GRU.
      layers: number of GRUs.
      embedding_size: width of a label's embedding.
      attention_size: hidden width of the additive attention.
      max_labels: longest sequence, without start and end. Of more labels, a random contiguous run
        is taken.
      order: "ascending" (the paper's vocabulary order) or "descending" (its code).
      trunk: "attention" over the frames, or the "mean" of the frames at every step.
      initial: "priors" lets `initialize_from_priors` start each step at the label frequencies.
      input_norm: "none", as in the paper's code, or "l2".

    Raises:
      ValueError: `trunk` or `order` is not one of the choices.
    """

    recipe = dataclasses.replace(RECURRENT_RECIPE, num_epochs=8)
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
        order: LabelOrder = "ascending",
        trunk: Trunk = "attention",
        initial: Initial = "priors",
        input_norm: InputNorm = "none",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm, **kwargs)
        self.dequantize = DequantizeFrames(self.input_norm)
        attends = one_of("trunk", trunk, Trunk) == "attention"
        self.pool = None if attends else FramePooling("average")
        self.decoder = LabelDecoder(
            num_classes,
            max_labels,
            cells,
            layers,
            embedding_size,
            attention_size if attends else 0,
            order,
            initial,
            name="decoder",
        )

    def memory(self, inputs: Inputs) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return the frames [B, T, D] and their mask, or their mean [B, 1, D] and None."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        return (x, mask) if self.pool is None else (self.pool(x, mask=mask)[:, None, :], None)


@register("VideoLabelDecoderModel")
class VideoLabelDecoderModel(_LabelDecoding, VideoModel):
    """Sequence label decoding from video-level features, the only memory of the decoder.

    Source: UTS 2.1 (docs/sources.md#label-decoding), to compare losses on the same trunk with
    `LogisticModel`.

    Args:
      cells, layers, embedding_size, max_labels, order, initial: as in `LabelDecoderModel`.
    """

    recipe = dataclasses.replace(
        RECURRENT_RECIPE, base_learning_rate=0.002, batch_size=256, num_epochs=10
    )

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cells: int = 1024,
        layers: int = 2,
        embedding_size: int = 1024,
        max_labels: int = 8,
        order: LabelOrder = "ascending",
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
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

    def memory(self, inputs: Inputs) -> tuple[tf.Tensor, None]:
        """Return the video [B, 1, D], and None as the mask."""
        return self.normalize(inputs["video"])[:, None, :], None
