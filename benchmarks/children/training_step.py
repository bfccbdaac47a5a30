"""A model's training step on a constant batch, as a function; nothing is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.models.core.recipe import STARTER_RECIPE
from yt8m.training.optimizers import make_optimizer, prepare
from yt8m.training.step import TrainStep
from yt8m.training.weight_average import WeightAverage


def training_step(
    name: str,
    num_classes: int,
    batch_size: int,
    num_frames: int = 300,
    arguments: Mapping[str, Any] | None = None,
    starter_defaults: bool = False,
) -> tuple[Callable[[], Any], Any]:
    """Return a function that takes one training step, and the model.

    Args:
      name: the model's.
      num_classes: K.
      batch_size: examples in the step.
      num_frames: frames of a video, unless the model's recipe samples fewer for training.
      arguments: further arguments of the model.
      starter_defaults: as in train.py.
    """
    device = "/gpu:0" if tf.config.list_logical_devices("GPU") else "/cpu:0"
    strategy = tf.distribute.OneDeviceStrategy(device)
    cls = registry.model_class(name)
    recipe = STARTER_RECIPE.updated(cls.starter_recipe) if starter_defaults else cls.recipe
    recipe = recipe.updated({"batch_size": batch_size})
    starter = cls.starter_arguments if starter_defaults else {}
    with strategy.scope():
        model = cls(num_classes, **{**starter, **(arguments or {})}).build_weights()
        optimizer = make_optimizer(recipe, 10**9)
        prepare(optimizer, model.trainable_variables)
        average = WeightAverage(model.trainable_variables, recipe.weight_average)
        step = TrainStep(strategy, model, losses.get(recipe.label_loss), optimizer, average, recipe)
    frames = min(num_frames, recipe.train_frames or num_frames)
    rng = np.random.default_rng(0)
    positive = rng.random((batch_size, num_classes), np.float32) < 3.0 / num_classes
    width = model.feature_size
    batch = {"labels": tf.constant(positive.astype(np.uint8))}
    if "video" in model.input_keys:
        batch["video"] = tf.constant(rng.normal(size=(batch_size, width)).astype(np.float32))
    if "frames" in model.input_keys:
        batch["frames"] = tf.constant(rng.integers(0, 256, (batch_size, frames, width), np.uint8))
        batch["num_frames"] = tf.constant(np.full(batch_size, frames, np.int32))
    batches = strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.from_tensors(batch).repeat()
    )
    iterator = iter(batches)
    return lambda: step(iterator, tf.constant(1))[1], model
