"""AttnVLAD: learned centres, attended by the frames, before a mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.pooling.vlad import AttnVlad
from yt8m.models.core.base import FrameModel, Yt8mModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register
from yt8m.models.core.weight_transfer import check_arguments, copy_weights


@register("AttnVLAD", "AttnVladModel")
class AttnVladModel(FrameModel):
    """Attention VLAD over projected frames, with a mixture of experts.

    Source: UTS §2.3.4, eqs. 4 to 7, Fig. 4 (spec C.14).

    Args:
      num_centers: C.
      projection_size: width d' to which each frame is brought, linearly; 0 leaves it.
      kernel, scheme, attention_size, auxiliary_weight: see `AttnVlad`.
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class.
      initial: of the head.
      input_norm: "none" as in the paper's code; "l2".
      freeze_vlad: the second of two stages (spec C.14): with --init_from a trained AttnVLAD, whatever its head,
        its projection and VLAD are taken and stay as they are, and a new head learns on them.
      mask_padding: leave padded frames out. False sums over them too, as UTS did (trap E-15); predictions then
        depend on how long the padding is.
    """

    zero_has_meaning = ("projection_size",)
    recipe = Recipe(
        base_learning_rate=0.005,
        batch_size=128,
        num_epochs=8,
        clip_gradient_norm=0.0,
        global_clip_norm=5.0,
        weight_average=0.9997,
    )
    starter_flags = {"moe_num_mixtures": "num_mixtures", "video_level_classifier_model": "head"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        num_centers: int = 10,
        projection_size: int = 256,
        kernel: str = "additive",
        scheme: str = "a",
        attention_size: int = 100,
        auxiliary_weight: float = 1e-8,
        head: str = "moe",
        num_mixtures: int = 2,
        initial: str = "priors",
        input_norm: str = "none",
        freeze_vlad: bool = False,
        mask_padding: bool = True,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm, **kwargs)
        self.num_centers, self.projection_size, self.kernel, self.scheme = (
            num_centers,
            projection_size,
            kernel,
            scheme,
        )
        self.attention_size, self.auxiliary_weight, self.mask_padding = (
            attention_size,
            auxiliary_weight,
            mask_padding,
        )
        self.head_name, self.num_mixtures, self.initial = head, num_mixtures, initial
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
        self.head = make_head(head, num_classes, num_mixtures, initial)
        self.freeze_vlad = freeze_vlad
        if freeze_vlad:
            for layer in self._features():
                layer.trainable = False

    def _features(self) -> list[tf.keras.layers.Layer]:
        """Return the layers before the head that have weights."""
        return [layer for layer in (self.project, self.vlad) if layer is not None]

    @property
    def lacks(self) -> str:
        """With freeze_vlad, trained features."""
        return (
            "freeze_vlad=true trains a head on a trained AttnVLAD's features, and these would stay as they began"
            if self.freeze_vlad
            else ""
        )

    def initialize_from(self, other: Yt8mModel) -> None:
        """Take all of another AttnVLAD, or with freeze_vlad its projection and VLAD.

        Raises:
          UserError: another kind of model, or of other sizes.
        """
        if not self.freeze_vlad or not isinstance(other, AttnVladModel):
            return super().initialize_from(other)
        names = (
            "feature_sizes",
            "num_centers",
            "projection_size",
            "kernel",
            "scheme",
            "attention_size",
            "input_norm",
            "mask_padding",
        )
        check_arguments(other, self, names)
        for old, new in zip(other._features(), self._features()):
            copy_weights(old, new, f"{old.name} there", f"{new.name} here")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        if self.project is not None:
            x = self.project(x)  # [B, T, d']
        return self.head(self.vlad(x, mask=mask if self.mask_padding else None))

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "num_centers",
            "projection_size",
            "kernel",
            "scheme",
            "attention_size",
            "auxiliary_weight",
            "num_mixtures",
            "initial",
        )
        names += ("freeze_vlad", "mask_padding")
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "head": self.head_name,
        }
