"""The programs of the large-scale trainers: a group of PmoeModel, and steps 2 and 3 of KDD 2019."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.accelerators.program import Batch, Program, Variables, compiled, variables_of
from yt8m.accelerators.sizes import Sizes, Specs, batch_specs, config_of
from yt8m.largescale.alternating.classifier_step import moe_settings
from yt8m.largescale.alternating.context import alternation_of
from yt8m.largescale.alternating.step3_updates import FROZEN
from yt8m.largescale.gradient.shard_gradient import GradientSettings, GradientWorker
from yt8m.largescale.mixtures.block_steps import BlockSteps
from yt8m.largescale.mixtures.class_partition import partition
from yt8m.largescale.mixtures.moe_settings import MoeSettings
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.models.core import registry
from yt8m.runs.build import dtype_policy, make_model

# The model whose steps 2 and 3 are shown.
ALTERNATED = "DbofBasic"
PARTITIONS = 8  # of step 2, of which one is shown


def one_group(model: str, sizes: Sizes) -> Sizes:
    """Return the sizes of a PmoeModel that predicts its first group of labels alone."""
    group = _made(model, sizes).head.groups[0]
    return dataclasses.replace(
        sizes, arguments={**sizes.arguments, "num_labels": len(group["classes"])}
    )


def train_group(model: str, sizes: Sizes) -> Program:
    """Return the step of the first group of a PmoeModel, as `--trainer=partitioned` takes it."""
    config, made = config_of(model, sizes), _made(model, sizes)
    group = made.head.groups[0]
    settings = MoeSettings(config.recipe, dtype=sizes.dtype, l2=made.l2)
    classes, experts = group["classes"], group["num_mixtures"]
    about = f"a group of {len(classes)} classes with {experts} experts each"
    return _mixture_step("train", model, classes, experts, made.feature_size, settings, about)


def _made(model: str, sizes: Sizes) -> Any:
    """Return a model without its weights, which would be too large."""
    given = {"num_classes": sizes.num_classes, "feature_sizes": sizes.feature_sizes}
    with dtype_policy(sizes.dtype):
        return registry.create(model, **given, **sizes.arguments)


def step2(model: str, sizes: Sizes) -> Program:
    """Return step 2's training step: the classes of a partition, each with the most experts."""
    config = config_of(model, sizes)
    alternation = alternation_of(config)
    small = make_model(config)
    width = int(small.aggregate(small.example_inputs(1), training=False).shape[-1])
    experts, num_classes = alternation.max_experts, config.schema.num_classes
    classes = partition(alternation.partition_by, [experts] * num_classes, PARTITIONS)[0]
    settings = moe_settings(config, 1, alternation.step2_batch_size)
    about = f"step 2 for {len(classes)} classes with {experts} experts each"
    return _mixture_step("step2", model, classes, experts, width, settings, about)


def step3(model: str, sizes: Sizes) -> Program:
    """Return step 3's losses and gradients of a batch, with the head that step 2 would leave."""
    most = alternation_of(config_of(model, sizes)).max_experts
    groups = [{"classes": list(range(sizes.num_classes)), "num_mixtures": most}]
    config = config_of(
        model, dataclasses.replace(sizes, arguments={**sizes.arguments, "groups": groups})
    )
    rows, frames = config.recipe.batch_size, sizes.frames(model, training=False)
    built = make_model(config)
    source = RecordSource(config.schema, rows)
    settings = GradientSettings.of(built, FROZEN, config.recipe.label_loss, source)
    worker = GradientWorker(settings, built)
    specs = batch_specs(config, (*built.input_keys, "labels"), rows, frames)

    def gradients(batch: Batch) -> list[tf.Tensor]:
        losses, found = worker.traced(batch)
        return [losses, *found]

    count = len(worker.variables["weights"])
    return Program(
        model,
        "step3",
        compiled(gradients, specs),
        specs,
        outputs=("losses", *(f"gradient_{i}" for i in range(count))),
        variables=variables_of(built),
        examples=rows,
        num_frames=frames,
        dtype=sizes.dtype,
        about=f"step 3 with a head of {most} experts for each class",
    )


def _mixture_step(
    name: str,
    model: str,
    classes: Sequence[int],
    experts: int,
    width: int,
    settings: MoeSettings,
    about: str,
) -> Program:
    """Return the training step of classes with equally many experts on features [B, width]."""
    step = BlockSteps(classes, [experts] * len(classes), width, settings)
    for block in step.blocks:
        block.make_moments()
    total = tf.Variable(0.0, trainable=False)
    rows = settings.recipe.batch_size
    specs: Specs = {
        "features": tf.TensorSpec([rows, width], tf.float32),
        "labels": tf.TensorSpec([rows, len(classes)], tf.uint8),
        "rate": tf.TensorSpec([], tf.float32),
        "powers": tf.TensorSpec([2], tf.float32),
    }

    def one_step(batch: Batch) -> list[tf.Tensor]:
        x = tf.cast(batch["features"], settings.dtype)
        step(x, batch["labels"], batch["rate"], batch["powers"], total)
        return []

    variables: Variables = [("sums", total)]
    for block in step.blocks:
        variables += [("weight", v) for v in block.weights]
        variables += [("optimizer", v) for v in block.moments]
    return Program(
        model,
        name,
        compiled(one_step, specs),
        specs,
        outputs=(),
        variables=variables,
        examples=rows,
        num_frames=0,
        dtype=settings.dtype,
        about=about,
    )
