"""One iteration of step 3: a full-batch update or, as a control, a pass of mini-batch Adam.

All of them compute with the head frozen, batch normalisation in inference mode and all frames, so
that they differ only in the optimiser.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, Union

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.largescale.alternating.context import Context
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.alternating.step3_batch import with_batch_size
from yt8m.largescale.gradient.full_batch import FullBatchGradient
from yt8m.largescale.gradient.shard_gradient import GradientSettings, chosen_variables
from yt8m.largescale.gradient.update_rules import GradientDescent, IRPropPlus
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import pack_shards
from yt8m.losses import registry as losses
from yt8m.models.core.base import Yt8mModel
from yt8m.training.optimizers import prepare
from yt8m.training.step import TrainStep
from yt8m.training.weight_average import WeightAverage

FROZEN = ("head",)
LOSS_TOLERANCE = 1e-7  # relative; the last digits of a loss depend on threads and machines
_EPOCHS = 1_000_000  # the orders of Adam's passes differ from those of step 1 and of other cycles
_CYCLES = 1_000_003  # the distance between the seeds of two cycles' draws

Arrays = dict[str, np.ndarray]


def make_updates(context: Context, step: Step, model: Yt8mModel) -> Updates:
    """Return the updates that --step3_optimizer names; random draws depend on the step's cycle."""
    if context.settings.step3_optimizer == "adam":
        return AdamPasses(context, step, model)
    return FullBatchUpdates(context, step, model)


class FullBatchUpdates:
    """The mean gradient of all training data, or of a random part, and then one update.

    Source: KDD Algorithm 1, docs/sources.md#full-batch-gradient.

    Attributes:
      shared: the model as the tasks have it, with which they also validate.
    """

    def __init__(self, context: Context, step: Step, model: Yt8mModel):
        settings, config = context.settings, context.config
        source = RecordSource(
            config.schema, config.recipe.batch_size, config.training.max_bad_records
        )
        label_loss, self._executor = config.recipe.label_loss, context.executor
        wanted = GradientSettings.of(model, FROZEN, label_loss, source)
        self._gradient = FullBatchGradient(
            context.executor,
            model,
            with_batch_size(context, model, wanted).source,
            pack_shards(context.files, int(settings.task_mb * 2**20)),
            FROZEN,
            label_loss,
            config.training.regularization_penalty,
            config.training.seed + _CYCLES * (step.cycle - 1),
        )
        self.shared = self._gradient.shared
        self._fraction = settings.batch_fraction
        self._rule: IRPropPlus | GradientDescent
        if settings.step3_optimizer == "gd":
            self._rule = GradientDescent(settings.step3_learning_rate)
        else:
            self._rule = IRPropPlus(
                settings.step3_initial_delta,
                loss_test=settings.step3_error_test,
                tolerance=LOSS_TOLERANCE,
            )

    def update(self, iteration: int) -> dict[str, float]:
        """Take one update and return numbers for the log.

        `train_loss` is the loss at the weights before the update.
        """
        found = self._gradient(iteration, self._fraction)
        weights = self._rule.update(self._gradient.weights(), found.gradients, found.loss)
        self._gradient.set_weights(weights)
        return {
            "train_loss": found.loss,
            "train_examples": found.num_examples,
            **self._rule.summary(),
        }

    def state(self) -> Arrays:
        """Return the weights and the rule's state."""
        weights = _numbered("weight", self._gradient.weights())
        return {**weights, **{f"rule.{k}": v for k, v in self._rule.state().items()}}

    def restore(self, arrays: Arrays) -> None:
        """Continue from what `state` returned."""
        self._gradient.set_weights(_list(arrays, "weight"))
        prefix = "rule."
        rule = {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}
        self._rule.restore(rule)

    def close(self) -> None:
        """Release the model in the tasks' processes; later tasks ask for no memory."""
        self._gradient.close()
        self._executor.task_memory = 0


class AdamPasses:
    """One pass of mini-batch Adam over the data per iteration, for comparison with iRProp+.

    Attributes:
      shared: the model as the tasks of a validation have it.
    """

    def __init__(self, context: Context, step: Step, model: Yt8mModel):
        self._context, self._cycle = context, step.cycle
        self.shared = context.validate.shared(model)
        self._variables = chosen_variables(model, FROZEN)
        with context.strategy.scope():
            self._optimizer = tf.keras.optimizers.Adam(
                context.settings.step3_learning_rate, epsilon=1e-8
            )
            prepare(self._optimizer, self._variables)
            recipe = dataclasses.replace(
                context.config.recipe, clip_gradient_norm=0.0, global_clip_norm=0.0
            )
            self._step = TrainStep(
                context.strategy,
                model,
                losses.get(recipe.label_loss),
                self._optimizer,
                WeightAverage([], 0.0),
                recipe,
                penalty=0.0,
                variables=self._variables,
                inference=True,
            )

    def update(self, iteration: int) -> dict[str, float]:
        """Take one pass over all full batches and return numbers for the log.

        `train_loss` is the mean over the pass.

        Raises:
          UserError: there is no full batch.
        """
        config, strategy = self._context.config, self._context.strategy
        batch_size = config.recipe.batch_size
        bad = BadRecords(config.training.max_bad_records)
        # Whole batches only: each of several replicas needs its part of every batch.
        batches = build_dataset(
            self._context.files,
            config.schema,
            batch_size=batch_size,
            training=True,
            seed=config.training.seed,
            epoch=_EPOCHS * self._cycle + iteration,
            bad_records=bad,
        )
        batches = batches.map(lambda batch: {k: v for k, v in batch.items() if k != "id"})
        iterator = iter(strategy.experimental_distribute_dataset(batches))
        end = contextlib.suppress(tf.errors.OutOfRangeError)
        with end, bad.explained(config.schema.num_classes):
            while True:
                self._context.stop.raise_if_out_of_time()
                self._step(iterator, tf.constant(1))
        self.shared.changed()
        sums = self._step.read_sums()
        if not sums["steps"]:
            if bad.found:
                raise UserError(
                    f"no batch of --batch_size={batch_size} is complete; {bad.summary()}."
                    " `yt8m inspect --full` lists what is broken; get the files again."
                )
            raise UserError(
                f"--batch_size={batch_size} is larger than the number of training records; lower"
                " it."
            )
        return {"train_loss": sums["loss"], "train_examples": int(sums["steps"]) * batch_size}

    def state(self) -> Arrays:
        """Return the weights and Adam's moments."""
        return {
            **_numbered("weight", map(tf_variable, self._variables)),
            **_numbered("adam", map(tf_variable, self._optimizer.variables)),
        }

    def restore(self, arrays: Arrays) -> None:
        """Continue from what `state` returned."""
        for variables, name in ((self._variables, "weight"), (self._optimizer.variables, "adam")):
            for variable, value in zip(variables, _list(arrays, name)):
                tf_variable(variable).assign(value)
        self.shared.changed()

    def close(self) -> None:
        """Release the model in the tasks' processes."""
        self.shared.close()


Updates = Union[FullBatchUpdates, AdamPasses]


def _numbered(name: str, values: Any) -> Arrays:
    """Return arrays or variables as a dictionary with the keys "name.0", "name.1" and so on."""
    return {f"{name}.{i}": np.array(v) for i, v in enumerate(values)}


def _list(arrays: Arrays, name: str) -> list[np.ndarray]:
    """Return the arrays with the keys "name.0", "name.1" and so on."""
    count = sum(k.startswith(name + ".") for k in arrays)
    return [arrays[f"{name}.{i}"] for i in range(count)]
