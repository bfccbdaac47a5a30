"""How step 3 moves an aggregator by one iteration: full-batch iRProp+ or descent, or, as a control, a pass of Adam.

Each computes with the head frozen, batch normalisation in inference mode and all frames, so that what differs
between them is the optimiser alone.
"""

from __future__ import annotations

from typing import Any, Dict, List, Protocol

import numpy as np
import tensorflow as tf

from yt8m.data.bad_records import BadRecords
from yt8m.data.pipeline import build_dataset
from yt8m.largescale.context import Context
from yt8m.largescale.full_batch_gradient import FullBatchGradient, chosen_variables
from yt8m.largescale.irprop import GradientDescent, IRPropPlus
from yt8m.largescale.shards import pack_shards
from yt8m.largescale.sources import RecordSource
from yt8m.losses import registry as losses
from yt8m.models.base import Yt8mModel
from yt8m.training.optimizers import prepare
from yt8m.training.weight_average import tf_variable

FROZEN = ("head",)
LOSS_TOLERANCE = 1e-7  # relative; the last digits of a loss hang on threads and machines
_EPOCHS = 1_000_000  # the passes' orders are none of step 1's epochs'

Arrays = Dict[str, np.ndarray]


class Mover(Protocol):
    """One way of moving."""

    def move(self, iteration: int) -> Dict[str, float]:
        """Change the model's aggregator; return a few numbers for the log, `train_loss` among them."""

    def state(self) -> Arrays:
        """Return weights and the optimiser's state."""

    def restore(self, arrays: Arrays) -> None:
        """Take what `state` returned."""

    def close(self) -> None:
        """Let go of what was made."""


def make_mover(context: Context, model: Yt8mModel) -> Mover:
    """Return the mover that --step3_optimizer names."""
    return AdamPasses(context, model) if context.settings.step3_optimizer == "adam" else FullBatch(context, model)


class FullBatch:
    """The mean gradient of all the training data (or a random part), then one update (KDD Algorithm 1; spec D.7)."""

    def __init__(self, context: Context, model: Yt8mModel):
        settings, config = context.settings, context.config
        source = RecordSource(config.schema, config.recipe.batch_size, config.training.max_bad_records)
        self._gradient = FullBatchGradient(
            context.executor, model, source, pack_shards(context.files), FROZEN, config.recipe.label_loss,
            config.training.regularization_penalty, config.training.seed,
        )  # fmt: skip
        self._fraction = settings.batch_fraction
        if settings.step3_optimizer == "gd":
            self._rule: Any = GradientDescent(settings.step3_learning_rate)
        else:
            self._rule = IRPropPlus(settings.step3_initial_delta, loss_test=settings.step3_error_test, tolerance=LOSS_TOLERANCE)

    def move(self, iteration: int) -> Dict[str, float]:
        """One gradient, one update; `train_loss` is of the weights before it."""
        found = self._gradient(iteration, self._fraction)
        self._gradient.set_weights(self._rule.update(self._gradient.weights(), found.gradients, found.loss))
        return {"train_loss": found.loss, "train_examples": found.num_examples, **self._rule.summary()}

    def state(self) -> Arrays:
        """Weights and the rule's state."""
        weights = {f"weight.{i}": w for i, w in enumerate(self._gradient.weights())}
        return {**weights, **{f"rule.{k}": v for k, v in self._rule.state().items()}}

    def restore(self, arrays: Arrays) -> None:
        """Take what `state` returned."""
        self._gradient.set_weights(_numbered(arrays, "weight."))
        self._rule.restore({k[len("rule.") :]: v for k, v in arrays.items() if k.startswith("rule.")})

    def close(self) -> None:
        """Forget the model in the tasks' processes."""
        self._gradient.close()


class AdamPasses:
    """A pass of mini-batch Adam over the training data an iteration: what iRProp+ is to be compared with."""

    def __init__(self, context: Context, model: Yt8mModel):
        self._context, self._model = context, model
        self._variables = chosen_variables(model, FROZEN)
        self._optimizer = tf.keras.optimizers.Adam(context.settings.step3_learning_rate, epsilon=1e-8)
        prepare(self._optimizer, self._variables)
        self._loss = losses.get(context.config.recipe.label_loss)
        self._step = tf.function(self._one)

    def _one(self, batch: Dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            predictions = self._model(self._model.select_inputs(batch), training=False)
            loss = tf.reduce_mean(self._loss(batch["labels"], predictions, batch.get("weights")))
        gradients = tape.gradient(loss, [tf_variable(v) for v in self._variables])
        self._optimizer.apply_gradients(zip(gradients, self._variables))
        return loss

    def move(self, iteration: int) -> Dict[str, float]:
        """One pass; `train_loss` is the mean over it."""
        config = self._context.config
        bad = BadRecords(config.training.max_bad_records)
        dataset = build_dataset(
            self._context.files, config.schema, batch_size=config.recipe.batch_size, training=True,
            seed=config.training.seed, epoch=_EPOCHS + iteration, bad_records=bad,
        )  # fmt: skip
        with bad.explained(config.schema.num_classes):
            found = [float(self._step({k: v for k, v in batch.items() if k != "id"})) for batch in dataset]
        return {"train_loss": float(np.mean(found)), "train_examples": len(found) * config.recipe.batch_size}

    def state(self) -> Arrays:
        """Weights and Adam's moments."""
        weights = {f"weight.{i}": np.array(tf_variable(v)) for i, v in enumerate(self._variables)}
        return {**weights, **{f"adam.{i}": np.array(tf_variable(v)) for i, v in enumerate(self._optimizer.variables)}}

    def restore(self, arrays: Arrays) -> None:
        """Take what `state` returned."""
        for variables, name in ((self._variables, "weight."), (self._optimizer.variables, "adam.")):
            for variable, value in zip(variables, _numbered(arrays, name)):
                tf_variable(variable).assign(value)

    def close(self) -> None:
        """Nothing was made outside."""


def _numbered(arrays: Arrays, prefix: str) -> List[np.ndarray]:
    count = sum(k.startswith(prefix) for k in arrays)
    return [arrays[f"{prefix}{i}"] for i in range(count)]
