"""The sizes at which a program is made, and the run's settings that they imply."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from yt8m.data.releases import RELEASES
from yt8m.data.schema import MAX_FRAMES, Level, RecordSchema
from yt8m.models.core import registry
from yt8m.runs.config import ModelConfig, RunConfig
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.settings.training import Dtype, TrainingConfig

Specs = dict[str, tf.TensorSpec]
_FEATURE_NAMES = ("rgb", "audio")


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of a program; the defaults are those of a user's run on the current release.

    Attributes:
      batch_size: videos of a step, over all replicas; 0 takes the model's recipe.
      num_frames: T; 0 takes the recipe's `train_frames` in training, and all 300 frames otherwise.
      num_classes: K.
      feature_sizes: width of each feature.
      dtype: the type of the computation.
      replicas: replicas of a training step.
      arguments: those of the model's constructor.
    """

    batch_size: int = 0
    num_frames: int = 0
    num_classes: int = RELEASES["v3"].num_classes
    feature_sizes: tuple[int, int] = (1024, 128)
    dtype: Dtype = "bfloat16"
    replicas: int = 1
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)

    def frames(self, model: str, training: bool) -> int:
        """Return T for a model, or 0 if it takes video-level records."""
        cls = registry.model_class(model)
        if cls.level == "video":
            return 0
        return self.num_frames or (training and cls.recipe.train_frames) or MAX_FRAMES


def config_of(model: str, sizes: Sizes) -> RunConfig:
    """Return the settings of a run of `model` with its own recipe, without its data."""
    cls = registry.model_class(model)
    recipe, alternation = cls.recipe, AlternationConfig()
    if sizes.batch_size:
        recipe = dataclasses.replace(recipe, batch_size=sizes.batch_size)
        alternation = dataclasses.replace(alternation, step2_batch_size=sizes.batch_size)
    level: Level = "video" if cls.level == "video" else "frame"
    return RunConfig(
        schema=RecordSchema(level, _FEATURE_NAMES, sizes.feature_sizes, sizes.num_classes),
        model=ModelConfig(model, dict(sizes.arguments)),
        recipe=recipe,
        training=TrainingConfig(train_data_pattern="", dtype=sizes.dtype),
        alternation=alternation,
    )


def batch_specs(config: RunConfig, keys: Iterable[str], rows: int, num_frames: int) -> Specs:
    """Return the specification of each part of a batch that `build_dataset` yields.

    Args:
      config: the run's settings.
      keys: the parts, in order.
      rows: videos in the batch.
      num_frames: T.
    """
    width, classes = config.schema.feature_size, config.schema.num_classes
    known = {
        "video": tf.TensorSpec([rows, width], tf.float32),
        "frames": tf.TensorSpec([rows, num_frames, width], tf.uint8),
        "num_frames": tf.TensorSpec([rows], tf.int32),
        "labels": tf.TensorSpec([rows, classes], tf.uint8),
    }
    return {key: known[key] for key in keys}
