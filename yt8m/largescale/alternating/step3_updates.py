"""How step 3 moves an aggregator by one iteration: full-batch iRProp+ or descent, or, as a control, a pass of Adam.

Each computes with the head frozen, batch normalisation in inference mode and all frames, so that what differs
between them is the optimiser alone.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.largescale.alternating.context import Context
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.gradient.full_batch import FullBatchGradient, chosen_variables
from yt8m.largescale.gradient.update_rules import GradientDescent, IRPropPlus
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import pack_shards
from yt8m.losses import registry as losses
from yt8m.models.core.base import Yt8mModel
from yt8m.training.optimizers import apply_reduced, prepare
from yt8m.training.weight_average import tf_variable

FROZEN = ("head",)
LOSS_TOLERANCE = 1e-7  # relative; the last digits of a loss hang on threads and machines
_EPOCHS = 1_000_000  # the passes' orders are none of step 1's epochs', nor another cycle's
_CYCLES = 1_000_003  # between the seeds of two cycles' draws

Arrays = dict[str, np.ndarray]


class Mover(Protocol):
    """One way of moving."""

    def move(self, iteration: int) -> dict[str, float]:
        """Change the model's aggregator; return a few numbers for the log, `train_loss` among them."""

    def state(self) -> Arrays:
        """Return weights and the optimiser's state."""

    def restore(self, arrays: Arrays) -> None:
        """Take what `state` returned."""

    def close(self) -> None:
        """Let go of what was made."""


def make_mover(context: Context, step: Step, model: Yt8mModel) -> Mover:
    """Return the mover that --step3_optimizer names; its draws are of the cycle that `step` lies in."""
    return (AdamPasses if context.settings.step3_optimizer == "adam" else FullBatch)(
        context, step, model
    )


class FullBatch:
    """The mean gradient of all the training data (or a random part), then one update (KDD Algorithm 1; spec D.7)."""

    def __init__(self, context: Context, step: Step, model: Yt8mModel):
        settings, config = context.settings, context.config
        source = RecordSource(
            config.schema, config.recipe.batch_size, config.training.max_bad_records
        )
        self._gradient = FullBatchGradient(
            context.executor, model, source, pack_shards(context.files), FROZEN, config.recipe.label_loss,
            config.training.regularization_penalty, config.training.seed + _CYCLES * (step.cycle - 1),
        )  # fmt: skip
        self._fraction = settings.batch_fraction
        if settings.step3_optimizer == "gd":
            self._rule: Any = GradientDescent(settings.step3_learning_rate)
        else:
            self._rule = IRPropPlus(
                settings.step3_initial_delta,
                loss_test=settings.step3_error_test,
                tolerance=LOSS_TOLERANCE,
            )

    def move(self, iteration: int) -> dict[str, float]:
        """One gradient, one update; `train_loss` is of the weights before it."""
        found = self._gradient(iteration, self._fraction)
        self._gradient.set_weights(
            self._rule.update(self._gradient.weights(), found.gradients, found.loss)
        )
        return {
            "train_loss": found.loss,
            "train_examples": found.num_examples,
            **self._rule.summary(),
        }

    def state(self) -> Arrays:
        """Weights and the rule's state."""
        weights = {f"weight.{i}": w for i, w in enumerate(self._gradient.weights())}
        return {**weights, **{f"rule.{k}": v for k, v in self._rule.state().items()}}

    def restore(self, arrays: Arrays) -> None:
        """Take what `state` returned."""
        self._gradient.set_weights(_numbered(arrays, "weight."))
        self._rule.restore(
            {k[len("rule.") :]: v for k, v in arrays.items() if k.startswith("rule.")}
        )

    def close(self) -> None:
        """Forget the model in the tasks' processes."""
        self._gradient.close()


class AdamPasses:
    """A pass of mini-batch Adam over the training data an iteration: what iRProp+ is to be compared with."""

    def __init__(self, context: Context, step: Step, model: Yt8mModel):
        self._context, self._model, self._cycle = context, model, step.cycle
        self._variables = chosen_variables(model, FROZEN)
        with context.strategy.scope():
            self._optimizer = tf.keras.optimizers.Adam(
                context.settings.step3_learning_rate, epsilon=1e-8
            )
            prepare(self._optimizer, self._variables)
        self._loss = losses.get(context.config.recipe.label_loss)
        self._step = tf.function(lambda batch: context.strategy.run(self._replica, args=(batch,)))

    def _replica(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Move by one replica's part of a batch, and the others'; return the batch's mean loss."""
        with tf.GradientTape() as tape:
            predictions = self._model(self._model.select_inputs(batch), training=False)
            each = self._loss(batch["labels"], predictions, batch.get("weights"))
            loss = tf.reduce_sum(each) / self._context.config.recipe.batch_size
        variables = [tf_variable(v) for v in self._variables]
        gradients = [
            tf.zeros_like(v) if g is None else tf.convert_to_tensor(g)
            for g, v in zip(tape.gradient(loss, variables), variables)
        ]
        replica = tf.distribute.get_replica_context()
        if replica.num_replicas_in_sync > 1:
            gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            loss = replica.all_reduce(tf.distribute.ReduceOp.SUM, loss)
        apply_reduced(self._optimizer, gradients, self._variables, replica.num_replicas_in_sync)
        return loss

    def move(self, iteration: int) -> dict[str, float]:
        """One pass over all whole batches; `train_loss` is the mean over it.

        Raises:
          UserError: there is no whole batch.
        """
        config, strategy = self._context.config, self._context.strategy
        bad = BadRecords(config.training.max_bad_records)
        # Whole batches: on several replicas none may be left without its part of the last one.
        batches = build_dataset(
            self._context.files, config.schema, batch_size=config.recipe.batch_size, training=True,
            seed=config.training.seed, epoch=_EPOCHS * self._cycle + iteration, bad_records=bad,
        )  # fmt: skip
        batches = batches.map(lambda batch: {k: v for k, v in batch.items() if k != "id"})
        with bad.explained(config.schema.num_classes):
            losses_seen = [
                self._step(batch) for batch in strategy.experimental_distribute_dataset(batches)
            ]
        if not losses_seen:
            raise UserError(
                f"--batch_size={config.recipe.batch_size} is more than the training records; lower it."
            )
        found = [float(strategy.experimental_local_results(loss)[0]) for loss in losses_seen]
        return {
            "train_loss": float(np.mean(found)),
            "train_examples": len(found) * config.recipe.batch_size,
        }

    def state(self) -> Arrays:
        """Weights and Adam's moments."""
        weights = {f"weight.{i}": np.array(tf_variable(v)) for i, v in enumerate(self._variables)}
        return {
            **weights,
            **{
                f"adam.{i}": np.array(tf_variable(v))
                for i, v in enumerate(self._optimizer.variables)
            },
        }

    def restore(self, arrays: Arrays) -> None:
        """Take what `state` returned."""
        for variables, name in ((self._variables, "weight."), (self._optimizer.variables, "adam.")):
            for variable, value in zip(variables, _numbered(arrays, name)):
                tf_variable(variable).assign(value)

    def close(self) -> None:
        """Nothing was made outside."""


def _numbered(arrays: Arrays, prefix: str) -> list[np.ndarray]:
    count = sum(k.startswith(prefix) for k in arrays)
    return [arrays[f"{prefix}{i}"] for i in range(count)]
