"""One training step on every replica, and several of them in one compiled call.

Keras 3's `fit` clips each replica's gradient before the sum, and fails with several workers; this
step runs on the replicas, sums over them, clips, and then applies.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.layers.heads.mixture_loss import loss_and_predictions
from yt8m.losses import registry as losses
from yt8m.losses.registry import is_sum_over_classes
from yt8m.losses.soft_targets import Distillation, objective
from yt8m.models.core.base import Yt8mModel
from yt8m.models.core.recipe import Recipe
from yt8m.runs.build import make_model
from yt8m.runs.config import RunConfig
from yt8m.training.optimizers import apply_reduced, optimizer_with, prepare
from yt8m.training.schedule.examples_schedule import ExamplesSchedule
from yt8m.training.warm_start.initial_weights import freeze
from yt8m.training.weight_average import WeightAverage

LossFn = Callable[..., tf.Tensor]
StepOutputs = tuple[Any, Any]  # labels and predictions of a step, per replica


def clip(
    gradients: list[tf.Tensor], each: float, overall: float
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Clip summed gradients by each variable's norm, then by the global norm; 0 turns either off.

    Returns:
      The gradients, and their norm before clipping (a scalar; not finite if any gradient is not).
    """
    # `tf.norm` would write the squares of each gradient first; `l2_loss` only reads the gradient.
    norms = [tf.sqrt(2.0 * tf.nn.l2_loss(g)) for g in gradients]
    norm = tf.norm(tf.stack(norms))
    scales = [tf.ones_like(n) for n in norms]
    if each > 0:
        scales = [each / tf.maximum(n, each) for n in norms]
    if overall > 0:
        clipped_norm = tf.norm(tf.stack([n * s for n, s in zip(norms, scales)]))
        scales = [s * (overall / tf.maximum(clipped_norm, overall)) for s in scales]
    if each > 0 or overall > 0:
        gradients = [g * s for g, s in zip(gradients, scales)]
    return gradients, norm


def dense_gradients(
    tape: tf.GradientTape, target: tf.Tensor, variables: list[Any], output_gradient: Any = None
) -> list[tf.Tensor]:
    """Return d target / d variable as a dense tensor for each variable.

    Args:
      tape: has recorded the target.
      target: a scalar, or a tensor that some scalar depends on.
      variables: Keras 2 or 3 variables; one that the target does not depend on gets zeros.
      output_gradient: d scalar / d target; None if the target is the scalar.
    """
    variables = [tf_variable(v) for v in variables]
    return [
        tf.zeros_like(v) if g is None else tf.convert_to_tensor(g)
        for g, v in zip(tape.gradient(target, variables, output_gradient), variables)
    ]


class TrainStep:
    """Runs training steps of one model; make it under the strategy's scope.

    Args:
      strategy: where the replicas are.
      model: a built model.
      loss: `(labels [B, K], predictions [B, K], weights) -> [B]`.
      optimizer: prepared for the variables.
      average: the average of the same variables.
      recipe: gives the batch size over all replicas and the clip norms.
      penalty: weight of `model.losses` (L2 and auxiliary terms).
      jit_compile: compile the forward and backward pass with XLA, on one replica only; a TPU
        compiles whole steps in any case.
      variables: what the steps change; None is the model's trainable variables.
      inference: compute the loss in inference mode, as batch normalisation with its stored
        statistics.
      distillation: how much is learnt from "teacher" in the batches; None without a teacher.

    Attributes:
      step: the number of steps done.
      sums: a variable, what `read_sums` reads.
      on_cpu: whether the program is written for CPUs without XLA; set it before the first step.
      class_weights: [K], multiplies the classes' terms of the loss, or None; set it before the
        first step.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: Yt8mModel,
        loss: LossFn,
        optimizer: Any,
        average: WeightAverage,
        recipe: Recipe,
        penalty: float = 1.0,
        jit_compile: bool = False,
        variables: list[Any] | None = None,
        inference: bool = False,
        distillation: Distillation | None = None,
    ):
        self.strategy, self.model, self.loss, self.optimizer = strategy, model, loss, optimizer
        self.average, self.recipe, self.penalty = average, recipe, penalty
        self._variables, self._inference = variables, inference
        self._distillation = distillation
        self._on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
        devices = strategy.extended.worker_devices
        self.on_cpu = not (jit_compile or self._on_tpu) and all("CPU" in d.upper() for d in devices)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        # Sums since they were last read: the loss, the regularisation, the steps, and the steps
        # whose gradient was not finite. They stay on the device, so that no step waits for them.
        self.sums = tf.Variable(tf.zeros([4]), trainable=False, name="sums")
        self.class_weights: np.ndarray | None = None
        self._traced = 0
        # A function of its own only where XLA needs one: batch normalisation cannot sum its
        # statistics over replicas from within a nested function.
        self._forward_backward = (
            tf.function(self._gradients, jit_compile=True)
            if jit_compile and not self._on_tpu
            else self._gradients
        )

    def __call__(self, iterator: Any, steps: tf.Tensor) -> StepOutputs:
        """Run `steps` (a scalar tensor) steps; return the last one's labels and predictions.

        Raises:
          tf.errors.OutOfRangeError: the data ended; `step` counts the steps done.
        """
        return self.compiled(iterator, steps, self._traced)

    def trace_again(self) -> None:
        """Let the next call compile the steps again, because the learning rates have changed."""
        self._traced += 1

    @tf.function
    def compiled(self, iterator: Any, steps: tf.Tensor, traced: int = 0) -> StepOutputs:
        """Do what a call does, as a program that each value of `traced` compiles once."""
        del traced
        for _ in tf.range(steps - 1):
            self.on_batch(next(iterator))
        return self.on_batch(next(iterator))

    def done(self) -> int:
        """Return the number of steps done in this run."""
        return int(self.step.numpy())

    def is_finite(self) -> bool:
        """Return whether every loss and gradient since `read_sums` was finite; keep the sums."""
        sums = self.sums.numpy()
        return not sums[3] and bool(np.isfinite(sums).all())

    def read_sums(self) -> dict[str, float]:
        """Return the means since the last call, and begin new ones.

        Returns:
          `loss` and `regularization`, means over the steps; `steps` and `broken`, counts.
        """
        loss, extra, steps, broken = (float(x) for x in self.sums.numpy())
        self.sums.assign(tf.zeros([4]))
        return {
            "loss": loss / max(steps, 1),
            "regularization": extra / max(steps, 1),
            "steps": steps,
            "broken": broken,
        }

    def on_batch(self, batch: Any) -> StepOutputs:
        """Take one step on a batch, inside a compiled function; return its labels and predictions.

        Args:
          batch: what the strategy's data set yields, with each replica's part on that replica.
        """
        if self._on_tpu:
            return batch["labels"], self.strategy.run(self._whole_step, args=(batch,))
        local = self.strategy.experimental_local_results
        arrived = local(batch["labels"])  # on every replica
        sums, predictions = self.strategy.run(lambda b: self._replica(b, arrived), args=(batch,))
        # Nothing else makes these wait for the data, and a step without data must not be counted.
        with tf.control_dependencies([local(sums)[0]]):
            self._count(self.strategy, sums)
        return batch["labels"], predictions

    def _whole_step(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Take a step as the one program that each core of a TPU runs.

        What is outside of that program runs there as one compiled program for each operation, or
        not at all: TensorFlow refuses most operations on variables of several cores. The program
        takes its data as a whole, so that it cannot run ahead of them (see also `whole_rounds`);
        and whatever it waits for becomes its input, so that each core would be sent the frames of
        all.
        """
        sums, predictions = self._update(batch)
        tf.distribute.get_replica_context().merge_call(self._count, args=(sums,))
        return predictions

    def _count(self, strategy: tf.distribute.Strategy, sums: Any) -> None:
        """Count a step, and move the average; in cross-replica context."""
        self.sums.assign_add(strategy.experimental_local_results(sums)[0])  # equal on all by now
        self.step.assign_add(1)
        self.average.update(strategy, self.step)

    def _replica(
        self, batch: dict[str, tf.Tensor], arrived: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        # Counters, such as the optimizer's, depend on no data: without this they may advance where
        # the data have just ended, and on one replica only, whose learning rate then differs.
        with tf.control_dependencies(arrived):
            return self._update(batch)

    def _update(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        gradients, data_loss, extra, predictions = self._forward_backward(
            self.model.select_inputs(batch),
            batch.get("targets", batch["labels"]),
            self._weights(batch),
            batch.get("teacher"),
        )
        context = tf.distribute.get_replica_context()
        replicas = context.num_replicas_in_sync
        sums = tf.stack([data_loss, extra])
        if replicas > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
        recipe = self.recipe
        gradients, norm = clip(gradients, recipe.clip_gradient_norm, recipe.global_clip_norm)
        apply_reduced(self.optimizer, gradients, self._trained(), replicas)
        broken = tf.cast(~tf.math.is_finite(norm), tf.float32)
        return tf.concat([sums, [1.0, broken]], 0), predictions

    def _gradients(
        self,
        inputs: dict[str, tf.Tensor],
        labels: tf.Tensor,
        weights: tf.Tensor | None,
        teacher: tf.Tensor | None,
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        goal = objective(self.loss, labels.dtype.is_floating, teacher, self._distillation)
        with tf.GradientTape() as tape:
            each, predictions = self._losses(inputs, labels, weights, goal)
            data_loss = tf.reduce_sum(each) / self.recipe.batch_size
            extra = tf.add_n([tf.cast(x, tf.float32) for x in self.model.losses] or [tf.zeros([])])
            extra = extra * (self.penalty / self.strategy.num_replicas_in_sync)
            total = data_loss + extra
        gradients = dense_gradients(tape, total, self._trained())
        return gradients, data_loss, extra, predictions

    def _losses(
        self,
        inputs: dict[str, tf.Tensor],
        labels: tf.Tensor,
        weights: tf.Tensor | None,
        goal: LossFn,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss `goal` of each example [B], and the predictions."""
        if self._inference:
            predictions = self.model(inputs, training=False)
            return goal(labels, predictions, weights), predictions
        if not (self.on_cpu and is_sum_over_classes(self.loss)):
            return self.model.training_loss(inputs, labels, weights, goal)
        better = {}

        def loss(labels: tf.Tensor, predictions: tf.Tensor, weights: Any = None) -> tf.Tensor:
            found = loss_and_predictions(predictions, goal, labels, weights)
            if found is None:
                return goal(labels, predictions, weights)
            each, better[id(predictions)] = found
            return each

        each, predictions = self.model.training_loss(inputs, labels, weights, loss)
        return each, better.get(id(predictions), predictions)

    def _trained(self) -> list[Any]:
        return self.model.trainable_variables if self._variables is None else self._variables

    def _weights(self, batch: dict[str, tf.Tensor]) -> tf.Tensor | None:
        """Return the batch's weights times those of the classes, [B, K], or None."""
        weights = batch.get("weights")
        if self.class_weights is None:
            return weights
        each = tf.ones_like(batch["labels"], tf.float32) if weights is None else weights
        return each * tf.constant(self.class_weights)[None, :]


def make_step(
    config: RunConfig, strategy: tf.distribute.Strategy, schedule: ExamplesSchedule
) -> TrainStep:
    """Return the training step of a new model, with its optimizer and its weight average."""
    t, recipe = config.training, config.recipe
    with strategy.scope():
        model = make_model(config)
        freeze(model, config)
        average = WeightAverage(model.trainable_variables, recipe.weight_average)
        optimizer = optimizer_with(recipe, schedule)
        prepare(optimizer, model.trainable_variables)
        loss = losses.get(recipe.label_loss)
        teacher = Distillation(t.teacher_weight, t.teacher_temperature)
        return TrainStep(
            strategy,
            model,
            loss,
            optimizer,
            average,
            recipe,
            t.regularization_penalty,
            t.jit_compile,
            distillation=teacher if t.teacher_scores else None,
        )
