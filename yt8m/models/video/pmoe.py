"""UTS' parallel mixture of experts: hundreds of experts per class, trained by groups of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import NormalizeVideo
from yt8m.layers.heads.grouped_mixture_of_experts import Group, GroupedMixtureOfExperts
from yt8m.layers.heads.label_groups import Split, label_groups
from yt8m.layers.heads.prior_logits import Initial
from yt8m.models.core.base import VideoModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register


@register("PmoeModel", "PMoE")
class PmoeModel(VideoModel):
    """Parallel mixtures of experts on video-level features, one for each group of labels.

    Source: UTS §2.2.2 (docs/sources.md#parallel-mixture). The paper's "200" is the default;
    "200random" is `split=random`; "1000" is `num_mixtures=1000 num_labels=1000 group_size=100`.
    "200+1000" is `fusion.py --method=average` of the scores of the first and the third, which
    averages where both predict and keeps the scores of the first elsewhere.

    Classes share no weights, so this is one large `MoeModel` that can be trained a group at a time.
    Its own trainer, `--trainer=partitioned`, does that. The peak memory is then
    12 bytes × D (2k + 1) × group_size (weights and Adam's two moments), and about 1 GB that does
    not grow with the model: 2.8 GB + 1 GB for k = 200 and 500 labels on D = 1152. The ordinary
    trainer (`--trainer=joint`) needs four to six times 4 bytes × D (2k + 1) × K.

    Args:
      num_mixtures: k, the number of experts of each class, without the dummy expert.
      group_size: number of labels in a group.
      split: "ordered" (windows of labels) or "random" (drawn by `split_seed`). Without clipping,
        the results of the two differ only by rounding (docs/sources.md#label-groups).
      split_seed: seed of the random split.
      num_labels: train only the labels [0, num_labels) and give the others probability 0; 0 trains
        all labels.
      initial: "priors" or "zeros", as in `MoeModel`.
      l2: scale of the weight decay, as in TF-slim.

    Raises:
      ValueError: `num_labels` is larger than `num_classes`.
    """

    trainer = "partitioned"
    # Without clipping, nothing couples one group to another.
    recipe = Recipe(
        base_learning_rate=0.1,
        batch_size=512,
        num_epochs=5,
        least_steps=50,
        clip_gradient_norm=0.0,
    )
    starter_flags = {"moe_num_mixtures": "num_mixtures"}
    starter_arguments = {"initial": "zeros"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        num_mixtures: int = 200,
        group_size: int = 500,
        split: Split = "ordered",
        split_seed: int = 0,
        num_labels: int = 0,
        initial: Initial = "priors",
        l2: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        if not 0 <= num_labels <= num_classes:
            raise ValueError(
                f"num_labels must be from 0 (all) to num_classes={num_classes}, not {num_labels}"
            )
        self.num_labels, self.initial, self.l2 = num_labels, initial, l2
        self.normalize = NormalizeVideo(self.input_norm)
        groups = label_groups(num_labels or num_classes, group_size, split, split_seed)
        parts: list[Group] = [
            {"classes": classes, "num_mixtures": num_mixtures} for classes in groups
        ]
        self.head = GroupedMixtureOfExperts(num_classes, parts, l2=l2, initial=initial, name="head")

    @property
    def covered_classes(self) -> list[int] | None:
        """The classes that the model predicts, or None for all."""
        return self.head.covered_classes if 0 < self.num_labels < self.num_classes else None

    def head_features(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Return the input of the head [B, D]; there are no weights before it."""
        return self.normalize(inputs["video"])

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return self.head(self.head_features(inputs))
