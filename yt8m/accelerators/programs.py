"""The programs of every model: the project's own training step and predictor, at given sizes.

    for name in names("DbofCgate"):
        program = make("DbofCgate", name, Sizes(dtype="bfloat16"))

Nothing here computes a step: `TrainStep`, `Predictor`, `BlockSteps` and `GradientWorker` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import tensorflow as tf

from yt8m.accelerators.large_scale import ALTERNATED, one_group, step2, step3, train_group
from yt8m.accelerators.program import Batch, Program, Variables, compiled, variables_of
from yt8m.accelerators.replicas import strategy_of
from yt8m.accelerators.sizes import Sizes, batch_specs, config_of
from yt8m.compat import tf_variable
from yt8m.errors import UserError
from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.runs.build import make_model
from yt8m.runs.config import RunConfig
from yt8m.runs.predictor import Predictor
from yt8m.training.schedule.examples_schedule import make_schedule
from yt8m.training.start.check_replicas import check_replicas
from yt8m.training.step import TrainStep, make_step

# Only the cosine schedule uses it, as a constant of the program.
TOTAL_EXAMPLES = 10_000_000


def names(model: str) -> list[str]:
    """Return the names of a model's programs.

    A reconstruction model predicts nothing. The alternating trainer's steps 2 and 3 are shown for
    one model.
    """
    found = ["train", "evaluate"]
    if registry.model_class(model).task == "classification":
        found.append("predict")
    return found + (["step2", "step3"] if registry.own_name(model) == ALTERNATED else [])


def make(model: str, name: str, sizes: Sizes) -> Program:
    """Return a program; this builds the model and its optimizer, and traces nothing yet.

    Args:
      model: registered name or alias.
      name: one of `names(model)`.
      sizes: those of the batch and the model.

    Raises:
      UserError: the model has no such program.
    """
    model = registry.own_name(model)
    if sizes.replicas > 1 and name != "train":
        raise UserError(f"{sizes.replicas} replicas share a training step only, not {name!r}.")
    if name not in names(model):
        raise UserError(f"{model} has no program {name!r}; it has {', '.join(names(model))}.")
    if registry.model_class(model).trainer == "partitioned":
        if sizes.replicas > 1:
            raise UserError(f"{model} is trained on one device, not on {sizes.replicas}.")
        if name == "train":
            return train_group(model, sizes)
        sizes = one_group(model, sizes)
    return _MAKE[name](model, sizes)


def programs(model: str, sizes: Sizes) -> Iterator[Program]:
    """Yield each of a model's programs; only one is in memory unless the caller keeps them."""
    for name in names(model):
        yield make(model, name, sizes)


def _train(model: str, sizes: Sizes) -> Program:
    config = config_of(model, sizes)
    check_replicas(config, sizes.replicas)
    schedule = make_schedule(config.recipe, TOTAL_EXAMPLES)
    step = make_step(config, strategy_of(sizes.replicas), schedule)
    step.on_cpu = False  # it is traced on one, and runs elsewhere
    rows = config.recipe.batch_size // sizes.replicas
    frames = sizes.frames(model, training=True)
    specs = batch_specs(config, (*step.model.input_keys, "labels"), rows, frames)
    classifies = step.model.task == "classification"

    def one_step(batch: Batch) -> list[tf.Tensor]:
        _, predictions = step.on_batch(batch)
        return [predictions] if classifies else []

    return Program(
        model,
        "train",
        compiled(one_step, specs),
        specs,
        outputs=("predictions",) if classifies else (),
        variables=[*variables_of(step.model), *_variables_of_step(step)],
        examples=config.recipe.batch_size,
        num_frames=frames,
        dtype=sizes.dtype,
        replicas=sizes.replicas,
        about=f"{config.recipe.optimizer}, {config.recipe.label_loss}",
    )


def _variables_of_step(step: TrainStep) -> Variables:
    return [
        *(("optimizer", tf_variable(v)) for v in step.optimizer.variables),
        *(("average", v) for v in step.average.shadows),
        ("step", step.step),
        ("sums", step.sums),
    ]


def _evaluate(model: str, sizes: Sizes) -> Program:
    """Return what a batch of a validation costs: its predictions, and the loss of each example."""
    config = config_of(model, sizes)
    loss = losses.get(config.recipe.label_loss)
    if registry.model_class(model).task != "classification":  # the output is the loss
        return _forward("evaluate", config, sizes, (), ("losses",), lambda run, b: [run(b)])

    def evaluate(run: Callable[[Batch], tf.Tensor], batch: Batch) -> list[tf.Tensor]:
        labels = batch.pop("labels")
        predictions = run(batch)
        return [predictions, loss(labels, predictions, None)]

    outputs = ("predictions", "losses")
    return _forward("evaluate", config, sizes, ("labels",), outputs, evaluate)


def _predict(model: str, sizes: Sizes) -> Program:
    config = config_of(model, sizes)
    return _forward("predict", config, sizes, (), ("predictions",), lambda run, b: [run(b)])


def _forward(
    name: str,
    config: RunConfig,
    sizes: Sizes,
    more_keys: tuple[str, ...],
    outputs: tuple[str, ...],
    function: Callable[[Callable[[Batch], tf.Tensor], Batch], list[tf.Tensor]],
) -> Program:
    """Return a program of `function`, which gets a predictor's function and a batch."""
    strategy, rows = strategy_of(1), config.recipe.batch_size
    with strategy.scope():
        model = make_model(config)
    predictor = Predictor(strategy, model, rows)
    frames = sizes.frames(config.model.name, training=False)
    specs = batch_specs(config, (*model.input_keys, *more_keys), rows, frames)
    return Program(
        config.model.name,
        name,
        compiled(lambda batch: function(predictor.run, batch), specs),
        specs,
        outputs,
        variables_of(model),
        examples=rows,
        num_frames=frames,
        dtype=sizes.dtype,
    )


_MAKE: dict[str, Callable[[str, Sizes], Program]] = {
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
    "step2": step2,
    "step3": step3,
}
