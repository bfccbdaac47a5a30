"""Settings of small runs, and what such a run has logged."""

from __future__ import annotations

import dataclasses
import functools
import signal
from typing import Any

import numpy as np
import pytest

from yt8m import files
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.models.core import registry
from yt8m.runs.config import ModelConfig, RunConfig, TrainingConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.stop_signal import Stopped

# Constructor arguments that make any model small; each model gets those that it has.
SMALL = {
    "cells": 24,
    "cluster_size": 48,
    "hidden_size": 32,
    "width": 32,
    "num_centers": 4,
    "projection_size": 16,
    "attention_size": 8,
    "window_size": 5,
    "encoder_cells": 16,
    "encoder_projection": 16,
    "first_width": 16,
    "widths": [16, 32],
    "blocks": [1, 1],
    "hidden_sizes": [32, 64],
    "embedding_size": 16,
    "max_labels": 4,
}


def new_run(pattern, model, *, schema=None, recipe=(), arguments=(), alternation=None, **training):
    """Return the settings of a run of `model` on the records of `pattern`.

    `schema` is a RecordSchema, or None to read it from the records; `recipe` changes the model's
    own; other keywords are fields of TrainingConfig.
    """
    if schema is None:
        schema, _ = find_schema(find_shards(pattern), max_frames=16)
    return RunConfig(
        schema,
        ModelConfig(model, dict(arguments)),
        registry.model_class(model).recipe.updated(dict(recipe)),
        TrainingConfig(pattern, **{"progress_seconds": 1e9, **training}),
        alternation=alternation,
    )


def run_on(data, model, *, recipe=(), **more):
    """Return the settings of a run on the train split of synthetic data, validated on its own."""
    level = registry.model_class(model).level
    more.setdefault("eval_data_pattern", data.pattern("validate", level))
    recipe = {"batch_size": 50, **dict(recipe)}
    return new_run(data.pattern("train", level), model, recipe=recipe, **more)


def run_config(data, name, epochs=6, recipe=(), arguments=(), **training):
    """Return the settings of a run of a small model that learns synthetic data quickly."""
    from yt8m.models.core.arguments import constructor_arguments

    cls = registry.model_class(name)
    known = constructor_arguments(cls)
    small = {argument: value for argument, value in SMALL.items() if argument in known}
    if "levels" in known:
        small["dropout"] = 0.1  # half of so few units would be too much
    # Small sets want a higher rate than recipes with Adam have; SGD's are another scale.
    rates = {"Adam": 0.02, "AdamW": 0.005}
    rate = rates.get(cls.recipe.optimizer, cls.recipe.base_learning_rate)
    settings = {"num_epochs": epochs, "base_learning_rate": rate, "weight_average": 0.0}
    if cls.recipe.mixup:
        settings["mixup"] = 0.0  # which learns too slowly for so few steps
    return run_on(
        data,
        name,
        recipe={**settings, **dict(recipe)},
        arguments={**small, **dict(arguments)},
        **training,
    )


def with_training(config, **changes):
    """Return the settings with other values of TrainingConfig."""
    return dataclasses.replace(config, training=dataclasses.replace(config.training, **changes))


def begun(config, folder) -> RunFolder:
    """Return a run folder that holds its settings and nothing else."""
    run = RunFolder(str(folder))
    run.make()
    run.write_text("config.json", config.to_json())
    return run


def stop_at(trainer, steps) -> None:
    """Train until SIGTERM comes after so many steps."""
    one_step = trainer.step

    class Stopping:
        """The step, with a signal after it."""

        def __getattr__(self, name):
            return getattr(one_step, name)

        def __setattr__(self, name, value):
            setattr(one_step, name, value)

        def __call__(self, *arguments):
            result = one_step(*arguments)
            if one_step.done() == steps:
                trainer.stop.received.note(signal.SIGTERM)
            return result

    trainer.step = Stopping()
    with pytest.raises(Stopped, match=f"signal {signal.SIGTERM:d}"):
        trainer.train()


def events(folder, name) -> list[dict[str, Any]]:
    """Return what a run has logged under one event's name."""
    return [event for event in RunFolder(str(folder)).logged() if event["event"] == name]


def losses_of(folder) -> list[float]:
    """Return the loss of each validation of a run."""
    return [event["loss"] for event in events(folder, "validation")]


def metrics_of(folder, which="best") -> dict[str, Any]:
    """Return the metrics of a run's best or last model."""
    return files.read_json(RunFolder(str(folder)).file(which, "metrics.json"))


def prior_gap(config) -> float:
    """Return the GAP of giving every validation video the label frequencies of the training set."""
    t = config.training
    return _prior_gap(t.train_data_pattern, t.eval_data_pattern, config.schema)


@functools.lru_cache
def _prior_gap(train, validation, schema) -> float:
    def labels_of(pattern):
        batches = build_dataset(find_shards(pattern), schema, batch_size=100)
        return np.concatenate([batch["labels"].numpy() for batch in batches])

    priors = labels_of(train).mean(0).astype(np.float32)
    labels = labels_of(validation)
    metrics = EvaluationMetrics(schema.num_classes)
    metrics.update(np.tile(priors, (len(labels), 1)), labels)
    return metrics.result()["gap"]
