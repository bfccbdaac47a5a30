"""Small alternations for the tests: their settings, logs and predictions."""

import dataclasses

import numpy as np
import tensorflow as tf

from tests.support.runs import events, run_on
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.largescale.alternating import trainer
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.trained_model import TrainedModel

SETTINGS = AlternationConfig(
    max_experts=6,
    num_partitions=3,
    step2_learning_rate=0.02,
    step2_batch_size=100,
    step2_max_epochs=2,
    step3_initial_delta=1e-3,
    step3_max_iterations=2,
    max_cycles=1,
)


def config_of(data, name="VideoDbofBasic", training=(), **settings):
    return run_on(
        data,
        name,
        recipe={"num_epochs": 2, "base_learning_rate": 0.02, "weight_average": 0.0},
        arguments={"width": 16, "num_mixtures": 2},
        alternation=dataclasses.replace(SETTINGS, **settings),
        trainer="alternating",
        **dict(training),
    )


def steps_of(folder):
    return [(e["name"], e["iteration"], e["gap"]) for e in events(folder, "iteration")]


def scores_of(folder, data, which="best"):
    """Predictions of a run's model for the validation set."""
    tf.keras.backend.clear_session()
    trained = TrainedModel(str(folder), which)
    files = find_shards(data.pattern("validate", trained.config.schema.level))
    dataset = build_dataset(files, trained.config.schema, batch_size=64)
    return np.concatenate([p for _, p in trained.predictor(64).over(dataset)])


def continued(source, target, config, strategy=None):
    """Run an alternation that begins with the finished step 1 of another."""
    settings = dataclasses.replace(config.alternation, step1_from=str(source))
    config = dataclasses.replace(config, alternation=settings)
    trainer.train(config, str(target), strategy=strategy)
    return target


class Killed(BaseException):
    """The end of the process: nothing that handles errors may handle it."""


def dies_at(monkeypatch, owner, name, call):
    """Let the `call`-th call of a function end the process."""
    original, calls = getattr(owner, name), [0]

    def dying(*arguments, **more):
        calls[0] += 1
        if calls[0] == call:
            raise Killed(name)
        return original(*arguments, **more)

    monkeypatch.setattr(owner, name, dying)
