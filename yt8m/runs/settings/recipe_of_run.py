"""The recipe of a run: that of the run which is resumed, or the model's own, made to fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from yt8m.errors import UserError
from yt8m.losses.registry import sums_over_classes
from yt8m.models.core.base import Yt8mModel
from yt8m.models.core.recipe import STARTER_RECIPE, Recipe


def recipe_of_run(
    model: type[Yt8mModel],
    starter_defaults: bool,
    given: Mapping[str, Any],
    before: Recipe | None = None,
) -> Recipe:
    """Return the recipe of a run.

    A run that is resumed keeps its own, whatever the model's recipe was when it began.

    Args:
      model: class of the model.
      starter_defaults: use the starter code's values in place of the model's recipe.
      given: the values that replace those of the recipe, None where one is not given.
      before: recipe of the run that is resumed.
    """
    if starter_defaults:
        base = STARTER_RECIPE.updated(model.starter_recipe)
    else:
        base = before or model.recipe
    return base.updated(given)


def arguments_of_run(
    model: type[Yt8mModel], given: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the arguments of a run's model: those given, and those of the model's recipe.

    Args:
      model: class of the model.
      given: the arguments that the user gave.
      before: those of a run that this one resumes or starts from, which names only what it was
        given. It has the constructor's defaults for the rest.
    """
    own = model.recipe_arguments
    if before is not None:
        own = {name: before[name] for name in own if name in before}
    return {**own, **given}


def check_length(given: Mapping[str, Any], max_steps: int) -> None:
    """Refuse a fewest number of steps for a run whose length is given.

    Raises:
      UserError: names the flags.
    """
    least, epochs = given.get("least_steps"), given.get("num_epochs")
    if least and (epochs or max_steps):
        length = f"--num_epochs={epochs}" if epochs else f"--max_steps={max_steps}"
        raise UserError(
            f"--least_steps={least} has no effect, because {length} sets the length of the run;"
            " drop one of them."
        )


def small_enough(recipe: Recipe, examples: int) -> tuple[Recipe, str]:
    """Return a recipe whose batches are fewer examples than there are, and a line, or "".

    A smaller training set gets batches of a power of two near an eighth of it.

    Args:
      recipe: that of a new run whose batch size is not given.
      examples: examples in an epoch.
    """
    if examples >= recipe.batch_size or examples < 1:
        return recipe, ""
    size = 1 << (max(1, examples // 8).bit_length() - 1)
    line = f"batches of {size:,} instead of {recipe.batch_size:,}, because there are so few records"
    return dataclasses.replace(recipe, batch_size=size), line


def long_enough(recipe: Recipe, examples: int) -> tuple[Recipe, str]:
    """Return a recipe with enough epochs for its least steps, and a line that says so, or "".

    Args:
      recipe: that of a new run whose length is not given.
      examples: examples in an epoch.
    """
    in_epoch = examples // recipe.batch_size
    if not in_epoch or in_epoch * recipe.num_epochs >= recipe.least_steps:
        return recipe, ""
    epochs = -(-recipe.least_steps // in_epoch)
    line = (
        f"{in_epoch:,} steps an epoch: {epochs:,} epochs instead of {recipe.num_epochs}, for at"
        f" least {recipe.least_steps:,} steps"
    )
    return dataclasses.replace(recipe, num_epochs=epochs), line


def mixable(
    recipe: Recipe, model: type[Yt8mModel], trainer: str, segments: bool
) -> tuple[Recipe, str]:
    """Return a recipe without mixup where a run cannot mix videos, and a line that says so, or "".

    Args:
      recipe: that of a new run whose mixup is not given.
      model: class of the model.
      trainer: how its weights are trained.
      segments: whether the labels are those of segments.
    """
    learns_mixtures = (
        trainer == "joint"
        and not segments
        and model.task == "classification"
        and model.uses_label_loss
        and sums_over_classes(recipe.label_loss)
    )
    if not recipe.mixup or learns_mixtures:
        return recipe, ""
    line = (
        "no mixup, which needs labels of whole videos, a loss that is a sum over classes, and"
        " --trainer=joint"
    )
    return dataclasses.replace(recipe, mixup=0.0), line
