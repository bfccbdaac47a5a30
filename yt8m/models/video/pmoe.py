"""UTS' parallel mixture of experts: hundreds of experts a class, trained a group of labels at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import NormalizeVideo
from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts
from yt8m.layers.heads.label_groups import label_groups
from yt8m.models.core.base import VideoModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register


@register("PmoeModel", "PMoE")
class PmoeModel(VideoModel):
    """Parallel mixtures of experts on video-level features, one a group of labels.

    Source: UTS §2.2.2 (spec C.2). "200" is the default; "200random" has `split=random`; "1000" has
    `num_mixtures=1000 num_labels=1000 group_size=100`; "200+1000" is `fusion.py --method=average` of
    the scores of the first and the third, which averages where both predict and keeps the 200's
    scores elsewhere.

    Classes share no weights, so this is one big `MoeModel` that can be trained a group at a time.
    `--trainer=partitioned`, its own, does so: peak memory is
    12 bytes × D (2k + 1) × group_size (weights and Adam's two moments), and about 1 GB that does not
    grow with the model. k = 200 and 500 labels on D = 1152: 2.8 GB + 1 GB. The ordinary trainer
    (`--trainer=joint`) holds four to six times 4 bytes × D (2k + 1) × K.

    Args:
      num_mixtures: k, experts a class without the dummy.
      group_size: labels a group.
      split: "ordered" (windows of labels) or "random" (drawn by `split_seed`); without clipping the
        two differ by rounding alone (spec E-21).
      split_seed: of the random split.
      num_labels: only the labels [0, num_labels) are learnt, and the others get probability 0;
        0 is all.
      initial: "priors" or "zeros", as in `MoeModel`.
      l2: TF-slim scale.
    """

    trainer = "partitioned"
    # No clipping: it would be all that couples one group to another.
    recipe = Recipe(base_learning_rate=0.02, batch_size=512, num_epochs=8, clip_gradient_norm=0.0)
    starter_flags = {"moe_num_mixtures": "num_mixtures"}
    starter_arguments = {"initial": "zeros"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        num_mixtures: int = 200,
        group_size: int = 500,
        split: str = "ordered",
        split_seed: int = 0,
        num_labels: int = 0,
        initial: str = "priors",
        l2: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        if not 0 <= num_labels <= num_classes:
            raise ValueError(
                f"num_labels is from 0 (all) to the {num_classes} classes, not {num_labels}"
            )
        self.num_mixtures, self.group_size, self.num_labels = num_mixtures, group_size, num_labels
        self.split, self.split_seed, self.initial, self.l2 = split, split_seed, initial, l2
        self.normalize = NormalizeVideo(self.input_norm)
        groups = label_groups(num_labels or num_classes, group_size, split, split_seed)
        parts = [{"classes": classes, "num_mixtures": num_mixtures} for classes in groups]
        self.head = GroupedMixtureOfExperts(num_classes, parts, l2=l2, initial=initial, name="head")

    @property
    def covered_classes(self) -> list[int] | None:
        """The classes that are learnt, where these are not all."""
        return self.head.covered_classes if 0 < self.num_labels < self.num_classes else None

    def head_features(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Return what the head sees [B, D]; no weight comes before it."""
        return self.normalize(inputs["video"])

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return self.head(self.head_features(inputs))

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("num_mixtures", "group_size", "split", "split_seed", "num_labels", "initial", "l2")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
