"""Step 2: the aggregator is frozen, its features are stored once, and a new, large mixture is trained on them by partition.

Every partition of the classes is trained for an epoch by itself; then the model of all of them is validated, which
decides whether another epoch follows. Partitions leave their state on disk, and a step that was killed goes on from it.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import time
from collections.abc import Iterable
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.evaluation.evaluate import Pairs
from yt8m.largescale.alternating.context import Context, Outcome
from yt8m.largescale.alternating.plan import Step, best_index, is_over
from yt8m.largescale.alternating.step_model import METRICS, load_model, metrics_of, save_model
from yt8m.largescale.alternating.step_state import StepState
from yt8m.largescale.executors.base import forget
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features.map import before_head, map_features
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.mixtures.adaptive_experts import experts_per_class, groups_by_experts
from yt8m.largescale.mixtures.class_partition import partition
from yt8m.largescale.mixtures.partition_map import PartJob, PartTask, check_trained, train_part
from yt8m.largescale.mixtures.partition_training import MoeSettings
from yt8m.largescale.mixtures.reduce_partitions import fill_head
from yt8m.largescale.tasks.shared_folder import LOCAL, absolute, local_folder
from yt8m.models.core.base import Yt8mModel
from yt8m.models.core.recipe import Recipe
from yt8m.runs.build import make_model
from yt8m.runs.config import ModelConfig, RunConfig
from yt8m.runs.folder import ALTERNATION
from yt8m.training.weight_average import tf_variable

_numbers = itertools.count()
DECAY_EXAMPLES = 2_560_000  # 5,000 batches of 512 (KDD §5.1.3)
L2 = 1e-8  # of the head's kernels, as in the models that train theirs jointly


def check(config: RunConfig, num_examples: int | None = None, train_dir: str = "") -> None:
    """Refuse, before step 1 is paid for, what step 2 could not do; nothing where the alternation has no step 2.

    Args:
      config: of the run.
      num_examples: training videos, where they are known.
      train_dir: the run's folder, where it is known.

    Raises:
      UserError: names the flag.
    """
    if config.alternation is None or config.alternation.alternation not in ("full", "large_moe"):
        return
    if num_examples is not None and num_examples < 1:
        raise UserError(
            "--train_data_pattern names no training video, and step 2 of --trainer=alternating needs some."
        )
    local_folder(train_dir, LOCAL)
    _moe_settings(config, 1, num_examples or config.alternation.step2_batch_size).check()


def run(context: Context, step: Step, source: str) -> Outcome | None:
    """Train the mixture until the stopping rule ends it, and hand on the best model seen; None where it was stopped.

    Args:
      context: of the run.
      step: which.
      source: folder of the model whose aggregator is kept and whose head is thrown away.
    """
    settings, run_folder = context.settings, context.run
    check(context.config, train_dir=run_folder.path)
    folder = f"{ALTERNATION}/{step.name}"
    best = f"{folder}/best"
    state = StepState(run_folder, f"{folder}/state.npz")
    if not _is_over(context, state.gaps) and not _train(context, step, source, folder, best, state):
        return None
    if not tf.io.gfile.exists(run_folder.file(folder, "validated")):
        with context.strategy.scope():
            model = load_model(run_folder, best)
        # Of the whole model on the records, in place of its head on stored features.
        result = {
            **metrics_of(run_folder, best),
            **context.validation(context.validation.predictor(model)),
        }
        run_folder.write_text(
            f"{best}/{METRICS}", json.dumps(result, indent=1, default=float) + "\n"
        )
        run_folder.write_text(f"{folder}/validated", "")
    for name in ("features", "partitions"):  # of no more use, and the largest files of a run
        if tf.io.gfile.exists(run_folder.file(folder, name)):
            tf.io.gfile.rmtree(run_folder.file(folder, name))
    context.log.say(
        f"{step.name}: up to {settings.max_experts} experts a class, {best_index(state.gaps)} epochs"
    )
    return Outcome(best, metrics_of(run_folder, best), state.elapsed)


def _is_over(context: Context, gaps: list[float]) -> bool:
    return bool(gaps) and is_over(
        gaps, context.settings.step2_patience, context.settings.step2_max_epochs
    )


def _train(
    context: Context, step: Step, source: str, folder: str, best: str, state: StepState
) -> bool:
    """Train to the end of the step; return False where a signal stopped it."""
    began, before = time.monotonic(), state.elapsed
    stores = _features(context, source, folder)
    if stores is None:
        return False
    train_store, validation_store = stores
    own, experts = _head_arguments(context, train_store)
    parts = partition(
        context.settings.partition_by,
        experts,
        context.settings.num_partitions,
        context.config.training.seed,
    )
    run_folder = context.run
    run_folder.write_text(f"{folder}/partitions/partition.json", parts.to_json())
    model = _grown_model(context, source, own)
    moe = _moe_settings(context.config, step.cycle, train_store.num_examples)
    moe.check()
    each, total = moe.steps(train_store.num_examples)
    counts = train_store.label_counts()
    priors = np.minimum((counts + 0.5) / (train_store.num_examples + 1.0), 0.999)
    here = isinstance(context.executor, InProcessExecutor)
    job = PartJob(absolute(train_store.folder), moe, priors, context.stop if here else None)
    key = f"partitions-{os.uname().nodename}-{os.getpid()}-{next(_numbers)}"
    shared = {"job": context.executor.broadcast(job, key)}
    paths = [
        absolute(run_folder.file(folder, "partitions", f"{p:05d}")) for p in range(len(parts.parts))
    ]
    filled = [p for p, classes in enumerate(parts.parts) if classes]
    context.log.say(
        f"{step.name}: {int(experts.sum()):,} experts for {len(experts):,} classes in {len(filled)} partitions,"
        f" {train_store.num_examples:,} videos, {each:,} steps an epoch"
    )
    predict = tf.function(lambda features: model.head(features), reduce_retracing=True)
    if not state.gaps:
        state.save([-1.0], 0.0, {})  # the old head is gone, and the new one has yet to learn
    while not _is_over(context, state.gaps):
        epoch = state.iterations + 1
        tasks = [
            PartTask(
                tuple(parts.parts[p]),
                tuple(int(experts[c]) for c in parts.parts[p]),
                paths[p],
                min(epoch * each, total),
            )
            for p in filled
        ]
        for _ in context.executor.map(train_part, tasks, shared):
            if context.stop():
                return False
        if context.stop():
            return False
        check_trained(tasks)
        fill_head(model.head, [paths[p] for p in filled])
        elapsed = before + time.monotonic() - began
        paused = time.monotonic()
        batches = validation_store.sequential(context.validation.batch_size)
        result = context.validation.measure(_head_predictions(model, predict, batches))
        gaps = [*state.gaps, float(result["gap"])]
        if best_index(gaps) == epoch:
            save_model(run_folder, best, model, own, {**result, "epoch": epoch})
        context.log.iteration(step, epoch, result, elapsed)
        state.save(gaps, elapsed, {})
        began += time.monotonic() - paused
    forget(key)  # the features that this process holds
    return True


def _features(
    context: Context, source: str, folder: str
) -> tuple[FeatureStore, FeatureStore] | None:
    """Return the stores of the training and the validation set's features; None where a signal stopped it."""
    with context.strategy.scope():
        model = load_model(context.run, source)
    config, validation = context.config, context.validation
    stores = []
    sets = [
        ("train", context.files, config.schema, config.training.max_bad_records),
        ("validation", validation.files, validation.schema, 0),
    ]
    for name, files, schema, bad in sets:
        store = map_features(
            context.executor, model, context.run.file(folder, "features", name), files, schema, context.settings.feature_dtype,
            config.recipe.batch_size, bad, stop=context.stop, say=context.log.say,
        )  # fmt: skip
        if store is None:
            return None
        stores.append(store)
    return stores[0], stores[1]


def _head_arguments(context: Context, store: FeatureStore) -> tuple[dict[str, Any], np.ndarray]:
    """Return the constructor arguments of the model to come, and the experts of each class [K] (KDD eq. 4)."""
    settings = context.settings
    experts = experts_per_class(
        store.label_counts(),
        settings.max_experts,
        settings.expert_divisor,
        settings.expert_rounding,
    )
    return {"head": "moe", "groups": groups_by_experts(experts)}, experts


def _grown_model(context: Context, source: str, own: dict[str, Any]) -> Yt8mModel:
    """Return a model with the source's aggregator and a new head."""
    config = context.config
    config = dataclasses.replace(
        config, model=ModelConfig(config.model.name, {**config.model.arguments, **own})
    )
    with context.strategy.scope():
        old, new = load_model(context.run, source), make_model(config)
    for mine, other in zip(before_head(new), before_head(old)):
        tf_variable(mine).assign(tf_variable(other))
    return new


def _moe_settings(config: RunConfig, cycle: int, num_examples: int) -> MoeSettings:
    settings = config.alternation
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
    training, initial = config.training, config.model.arguments.get("initial", "priors")
    return MoeSettings(
        recipe,
        seed=training.seed + cycle,
        dtype=training.dtype,
        l2=L2 * training.regularization_penalty,
        initial=initial,
    )


def _head_predictions(
    model: Yt8mModel, predict: Callable[[tf.Tensor], tf.Tensor], batches: Iterable[Any]
) -> Pairs:
    """Yield ({"labels"}, probabilities [B, K]) for each batch (features, labels) of a store."""
    for features, labels in batches:
        inputs = tf.cast(tf.constant(features), model.head.compute_dtype)
        yield {"labels": tf.constant(labels)}, predict(inputs).numpy()
