"""Step 2: the aggregator is frozen, and a new, large mixture is trained on its stored features.

Every partition of the classes is trained for an epoch separately. Then the combined model is
validated, which decides whether another epoch follows. Partitions save their state on disk, so a
step that was killed continues from there.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.errors import UserError
from yt8m.largescale.alternating import shared
from yt8m.largescale.alternating.chosen_once import choose_once
from yt8m.largescale.alternating.context import Context, alternation_of
from yt8m.largescale.alternating.plan import Step, best_index, is_over
from yt8m.largescale.alternating.step_model import (
    copy_model,
    load_model,
    metrics_of,
    save_model,
)
from yt8m.largescale.alternating.step_state import STATE, StepState
from yt8m.largescale.features.map import map_features
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.mixtures.adaptive_experts import experts_per_class, groups_by_experts
from yt8m.largescale.mixtures.class_partition import partition
from yt8m.largescale.mixtures.moe_settings import MoeSettings
from yt8m.largescale.mixtures.partition_map import PartitionMap
from yt8m.largescale.mixtures.partition_memory import predict
from yt8m.largescale.storage import objects
from yt8m.largescale.tasks.shipped_model import weights_before_head
from yt8m.largescale.validation.spread import FeatureValidation
from yt8m.models.core.base import Yt8mModel
from yt8m.models.core.recipe import Recipe
from yt8m.runs.build import make_model
from yt8m.runs.config import ModelConfig, RunConfig
from yt8m.runs.settings.alternation import MOST_PARTITIONS

DECAY_EXAMPLES = 2_560_000  # 5,000 batches of 512 (KDD §5.1.3)
L2 = 1e-8  # the weight for the head's kernels, as in the models that train theirs jointly


def check(config: RunConfig, num_examples: int | None = None) -> None:
    """Refuse what step 2 cannot do, before time is spent on step 1.

    Args:
      config: the run's settings; nothing is refused if its alternation has no step 2.
      num_examples: the number of training videos, if it is known.

    Raises:
      UserError: names the flag.
    """
    if config.alternation is None or config.alternation.alternation not in ("full", "large_moe"):
        return
    if num_examples is not None and num_examples < 1:
        raise UserError(
            "--train_data_pattern contains no training video, but step 2 of --trainer=alternating"
            " needs some."
        )
    moe_settings(config, 1, num_examples or config.alternation.step2_batch_size).check()


def run(context: Context, step: Step, source: str) -> float:
    """Train the mixture until the stopping rule ends the step, and keep the best model.

    Args:
      context: the run.
      step: the step.
      source: the folder of the model whose aggregator is kept and whose head is replaced.

    Returns:
      seconds that the step took, without validation.

    Raises:
      Stopped: a signal stopped the run. The features and partitions so far are saved.
    """
    settings, run_folder = context.settings, context.run
    check(context.config)
    state = StepState(run_folder, f"{step.folder}/{STATE}")
    if not _is_over(context, state):
        _train(context, step, source, state)
    if not tf.io.gfile.exists(run_folder.file(step.folder, "validated")):
        _validate_on_records(context, step)
    for name in ("features", "partitions"):  # no longer needed, and the largest files of a run
        objects.remove_folder(shared.folder(context, step, name))
    epochs = best_index(state.gaps)
    context.log.say(f"{step.name}: up to {settings.max_experts} experts per class, {epochs} epochs")
    return state.elapsed


def _is_over(context: Context, state: StepState) -> bool:
    patience, limit = context.settings.step2_patience, context.settings.step2_max_epochs
    return bool(state.gaps) and is_over(state.gaps, patience, limit)


def _validate_on_records(context: Context, step: Step) -> None:
    """Replace the metrics of the head on stored features by those of the whole model on records."""
    with context.strategy.scope():
        model = load_model(context.run, step.best)
    result = context.validate.of_model(model)
    about = {**metrics_of(context.run, step.best), **result}
    copy_model(context.run, step.best, step.best, about)
    context.run.write_text(f"{step.folder}/validated", "")


def _train(context: Context, step: Step, source: str, state: StepState) -> None:
    """Train one epoch after another to the end of the step."""
    began, worked_before = time.monotonic(), state.elapsed
    store, validation_store = _features(context, step, source)
    own, experts = _head_arguments(context, store)
    moe = moe_settings(context.config, step.cycle, store.num_examples)
    moe.check()
    epoch_steps, total_steps = moe.steps(store.num_examples)
    partitions = _partition_map(context, step, store, experts, moe)
    model = _with_new_head(context, source, own)
    validate = FeatureValidation(context.validate, validation_store, model.head)
    context.log.say(
        f"{step.name}: {int(experts.sum()):,} experts for {len(experts):,} classes in"
        f" {len(partitions)} partitions, {store.num_examples:,} videos, {epoch_steps:,} steps per"
        " epoch"
    )
    if not state.gaps:
        state.record(-1.0, 0.0, {})  # the old head is gone, and the new one is not trained yet
    while not _is_over(context, state):
        epoch = state.iterations + 1
        partitions.train(min(epoch * epoch_steps, total_steps))
        partitions.fill(model.head)
        elapsed = worked_before + time.monotonic() - began
        validated = time.monotonic()
        result = validate()
        if best_index([*state.gaps, result["gap"]]) == epoch:
            save_model(context.run, step.best, model, own, {**result, "epoch": epoch})
        context.log.iteration(step, epoch, result, elapsed)
        state.record(result["gap"], elapsed, {})
        began += time.monotonic() - validated
    validate.close()
    partitions.close()
    context.executor.task_memory = 0
    for used in (store, validation_store):
        used.forget_copies()


def _features(context: Context, step: Step, source: str) -> tuple[FeatureStore, FeatureStore]:
    """Return the stores of the features of the training and of the validation set."""
    with context.strategy.scope():
        model = load_model(context.run, source)
    config, validation = context.config, context.validation

    def features(name: str, files: list[str], schema: Any, max_bad_records: int) -> FeatureStore:
        plan = FeaturePlan(
            shared.folder(context, step, "features", name),
            files,
            schema,
            context.settings.feature_dtype,
            batch_size=config.recipe.batch_size,
            cache_bytes=shared.cache_bytes(context),
        )
        stop, say = context.stop, context.log.say
        return map_features(context.executor, model, plan, max_bad_records, stop, say)

    max_bad_records = config.training.max_bad_records
    return (
        features("train", context.files, config.schema, max_bad_records),
        features("validation", validation.files, validation.schema, 0),
    )


def _head_arguments(context: Context, store: FeatureStore) -> tuple[dict[str, Any], np.ndarray]:
    """Return the constructor arguments of the new head, and the experts of each class [K].

    The number of experts follows from the class's positives (KDD eq. 4).
    """
    settings = context.settings
    experts = experts_per_class(
        store.label_counts(),
        settings.max_experts,
        settings.expert_divisor,
        settings.expert_rounding,
    )
    return {"head": "moe", "groups": groups_by_experts(experts)}, experts


def _partition_map(
    context: Context, step: Step, store: FeatureStore, experts: np.ndarray, moe: MoeSettings
) -> PartitionMap:
    folder = shared.folder(context, step, "partitions")
    objects.make_folder(folder)
    counts = store.label_counts()
    priors = np.minimum((counts + 0.5) / (store.num_examples + 1.0), 0.999)
    return PartitionMap(
        context.executor,
        choose_partitions(context, store, experts),
        experts,
        folder,
        store,
        moe,
        priors,
        context.stop,
    )


def choose_partitions(
    context: Context, store: FeatureStore, experts: np.ndarray
) -> list[list[int]]:
    """Return the classes of each partition; its tasks ask for the predicted memory.

    A number that --num_partitions does not give is the smallest multiple of the number of workers
    for which a worker's memory holds a partition: each worker then trains equally many, and the
    fewer there are, the less often a node reads the features.
    """
    executor, settings, counts = context.executor, context.settings, experts.tolist()
    workers = max(1, executor.workers())
    most = max(workers, min(len(counts), MOST_PARTITIONS))

    def cut(number: int) -> list[list[int]]:
        return partition(settings.partition_by, counts, number)

    number, memory = choose_once(
        context,
        "step2_partitions.json",
        "num_partitions",
        settings.num_partitions,
        range(workers, most + 1, workers),
        lambda number: predict(cut(number), experts, store.width, store.largest_window),
        "delete it: the number of partitions is then chosen again, and those of a step 2 that was"
        " begun are trained from its beginning.",
    )
    need, limit = executor.task_memory, executor.worker_memory()
    line = (
        f"step 2 has {number} partitions of the classes for {workers} workers: a worker needs about"
        f" {need / 1e9:.2f} GB ({memory.weights / 1e9:.2f} GB for weights and their moments)"
    )
    if limit:
        line += f", and has {limit / 1e9:.2f} GB"
    if limit and need > limit:
        line += "; a node runs fewer workers, or raise --num_partitions in a new --train_dir"
    context.log.say(line)
    return cut(number)


def _with_new_head(context: Context, source: str, own: dict[str, Any]) -> Yt8mModel:
    """Return a model with the source's aggregator and a new head."""
    given = context.config.model
    model = ModelConfig(given.name, {**given.arguments, **own})
    with context.strategy.scope():
        old = load_model(context.run, source)
        new = make_model(dataclasses.replace(context.config, model=model))
    for mine, other in zip(weights_before_head(new), weights_before_head(old)):
        tf_variable(mine).assign(tf_variable(other))
    return new


def moe_settings(config: RunConfig, cycle: int, num_examples: int) -> MoeSettings:
    """Return how the partitions of step 2 are trained, in a cycle and on so many videos."""
    settings, training = alternation_of(config), config.training
    recipe = Recipe(
        base_learning_rate=settings.step2_learning_rate,
        schedule=settings.step2_schedule,
        learning_rate_decay=settings.step2_decay,
        learning_rate_decay_examples=DECAY_EXAMPLES,
        batch_size=min(settings.step2_batch_size, num_examples),
        num_epochs=settings.step2_max_epochs,
        clip_gradient_norm=0.0,
        label_loss=config.recipe.label_loss,
    )
    return MoeSettings(
        recipe,
        seed=training.seed + cycle,
        dtype=training.dtype,
        l2=L2 * training.regularization_penalty,
        initial=config.model.arguments.get("initial", "priors"),
    )
