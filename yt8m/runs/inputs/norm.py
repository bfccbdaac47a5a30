"""Which normalisation of its inputs a new run has: what is asked for, or else by its features.

It is the model's argument `input_norm`. The flag --input_norm sets it, and so does
--model_option=input_norm=NAME.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yt8m.data.features.of_release import has_release_features
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.models.core.arguments import default_arguments
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder

_NAME = "input_norm"


def with_input_norm(
    model: type[Yt8mModel],
    arguments: Mapping[str, Any],
    asked: str | None,
    files: Sequence[str],
    schema: RecordSchema,
    starter_defaults: bool,
    before: RunConfig | None,
    sources: Mapping[str, str],
) -> tuple[dict[str, Any], str]:
    """Return the constructor arguments with the input normalisation, and a line about it, or "".

    Without a wish, a resumed run keeps what it has, and a run that builds on another's weights has
    what that one has. Otherwise the model's own default applies to the features of a release, which
    it was tuned for, and others are standardized.

    Args:
      model: class of the model.
      arguments: constructor arguments that were given.
      asked: value of --input_norm, or None.
      files: the training shards.
      schema: schema of their records.
      starter_defaults: whether the starter code's values are used, which has no such choice.
      before: settings of the run that is resumed, or None.
      sources: flag -> folder of each run whose weights this one builds on; "" for none.

    Raises:
      UserError: --input_norm and an option of the model contradict each other, or the model has no
        input normalisation to choose.
    """
    found = dict(arguments)
    defaults = default_arguments(model)
    if asked is not None:
        return _asked(model, found, asked, defaults, before), ""
    if _NAME in found or _NAME not in defaults or starter_defaults:
        return found, ""
    for config in _earlier(before, sources):
        if _NAME in config.model.arguments:
            found[_NAME] = config.model.arguments[_NAME]
        return found, ""
    if has_release_features(files, schema):
        return found, ""
    found[_NAME] = "standardize"
    return found, (
        "the features are of no known release, so each is standardized by its mean and spread"
        " (--input_norm=l2 or none changes that)"
    )


def _asked(
    model: type[Yt8mModel],
    found: dict[str, Any],
    asked: str,
    defaults: Mapping[str, Any],
    before: RunConfig | None,
) -> dict[str, Any]:
    if _NAME not in defaults:
        raise UserError(
            f"--input_norm={asked}: {model.__name__} has no argument input_norm; drop the flag."
        )
    if found.get(_NAME, asked) != asked:
        raise UserError(
            f"--input_norm={asked} contradicts --model_option=input_norm={found[_NAME]}; drop one"
            " of the two."
        )
    known = before.model.arguments if before else model.recipe_arguments
    # A run that has the default without having named it is the same run.
    if asked == defaults[_NAME] and _NAME not in found and _NAME not in known:
        return found
    return {**found, _NAME: asked}


def _earlier(before: RunConfig | None, sources: Mapping[str, str]) -> list[RunConfig]:
    if before is not None:
        return [before]
    folders = {flag: RunFolder(path) for flag, path in sources.items() if path}
    return [run.load_config(flag) for flag, run in folders.items() if run.exists()]
