"""AttnVLAD: learned centres with attention over the frames, before a mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames, InputNorm
from yt8m.layers.pooling.vlad import AttnVlad, Kernel, Scheme
from yt8m.models.core.base import FrameModel, Yt8mModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.registry import register
from yt8m.models.core.weight_transfer import check_arguments, copy_weights
from yt8m.models.pooling.attention_pooling import ATTENTION_RECIPE

# The arguments that two models must share if one of them takes the features of the other.
_SAME_FEATURES = (
    "feature_sizes",
    "num_centers",
    "projection_size",
    "kernel",
    "scheme",
    "attention_size",
    "input_norm",
    "mask_padding",
)


@register("AttnVLAD", "AttnVladModel")
class AttnVladModel(ChosenHead, FrameModel):
    """Attention VLAD over projected frames, with a mixture of experts.

    Source: UTS §2.3.4, eqs. 4 to 7, Fig. 4 (docs/sources.md#attnvlad).

    Args:
      num_centers: C, the number of centres.
      projection_size: width d' of the linear projection of each frame; 0 leaves the frames as they
        are.
      kernel, scheme, attention_size, auxiliary_weight: see `AttnVlad`.
      input_norm: "none", as in the paper's code, or "l2".
      freeze_vlad: train the second of two stages (docs/sources.md#two-stage-attnvlad). It needs
        --init_from with a trained AttnVLAD, whatever its head. Its projection and VLAD are copied
        and frozen, and a new head is trained on their output.
      mask_padding: exclude padded frames. False sums over them as well, as UTS did
        (docs/sources.md#padding); predictions then depend on the length of the padding.
    """

    zero_has_meaning = ("projection_size",)
    recipe = ATTENTION_RECIPE
    starter_flags = {"moe_num_mixtures": "num_mixtures", "video_level_classifier_model": "head"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        num_centers: int = 10,
        projection_size: int = 256,
        kernel: Kernel = "additive",
        scheme: Scheme = "a",
        attention_size: int = 100,
        auxiliary_weight: float = 1e-8,
        input_norm: InputNorm = "none",
        freeze_vlad: bool = False,
        mask_padding: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm=input_norm, **kwargs)
        self.freeze_vlad, self.mask_padding = freeze_vlad, mask_padding
        self.dequantize = DequantizeFrames(self.input_norm)
        self.project = (
            tf.keras.layers.Dense(projection_size, name="project") if projection_size else None
        )
        self.vlad = AttnVlad(
            num_centers,
            kernel,
            scheme,
            attention_size,
            auxiliary_weight=auxiliary_weight,
            name="vlad",
        )
        self.head = self.make_head()
        for layer in self._features() if freeze_vlad else []:
            layer.trainable = False

    def _features(self) -> list[tf.keras.layers.Layer]:
        """Return the layers before the head that have weights."""
        return [layer for layer in (self.project, self.vlad) if layer is not None]

    @property
    def lacks(self) -> str:
        """Trained features, if freeze_vlad is set."""
        if not self.freeze_vlad:
            return ""
        return (
            "freeze_vlad=true trains a head on the features of a trained AttnVLAD; without one,"
            " the features would keep their random initial values"
        )

    def initialize_from(self, other: Yt8mModel) -> None:
        """Copy all weights of another AttnVLAD, or with freeze_vlad its projection and VLAD.

        Raises:
          UserError: the other model is of another kind, or its sizes differ.
        """
        if not self.freeze_vlad or not isinstance(other, AttnVladModel):
            return super().initialize_from(other)
        check_arguments(other, self, _SAME_FEATURES)
        for old, new in zip(other._features(), self._features()):
            copy_weights(old, new, f"{old.name} there", f"{new.name} here")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        if self.project is not None:
            x = self.project(x)  # [B, T, d']
        return self.head(self.vlad(x, mask=mask if self.mask_padding else None))
