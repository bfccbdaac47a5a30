"""Constructor arguments of a model, from the starter code's flags and NAME=VALUE options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from yt8m.commands.starter_flags import StarterModelFlags
from yt8m.errors import UserError
from yt8m.models.core.arguments import constructor_arguments, out_of_bounds
from yt8m.models.core.base import Yt8mModel
from yt8m.settings import settings_of


def model_arguments(
    name: str,
    model: type[Yt8mModel],
    starter_flags: Mapping[str, Any],
    options: Sequence[str] = (),
    *,
    starter_defaults: bool = False,
    initialized: bool = False,
) -> dict[str, Any]:
    """Return a model's constructor arguments.

    Args:
      name: the model's, as the user gave it.
      model: its class.
      starter_flags: flag of `StarterModelFlags` -> value, None where it was not given.
      options: each "NAME=VALUE" with the value in JSON or as plain text; they win over the flags.
      starter_defaults: begin with the starter code's values.
      initialized: the run starts from another run's weights.

    Raises:
      UserError: the model does not have an argument, or a whole number is out of bounds.
    """
    arguments: dict[str, Any] = dict(model.starter_arguments) if starter_defaults else {}
    if initialized:
        arguments.update(model.initialized_arguments)
    known = constructor_arguments(model)
    for flag in settings_of(StarterModelFlags):
        value = starter_flags.get(flag)
        if value is not None:
            key = _argument_of_flag(name, model, flag, known)
            _check_bounds(model, key, value, f"--{flag}={value}")
            arguments[key] = value
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or key not in known:
            raise UserError(
                f"--model_option={option} is not an option of --model={name}: expected NAME=VALUE "
                f"with one of {', '.join(known)}."
            )
        arguments[key] = _value(text)
        _check_bounds(model, key, arguments[key], f"--model_option={option}")
    return arguments


def _argument_of_flag(name: str, model: type[Yt8mModel], flag: str, known: Sequence[str]) -> str:
    if flag in model.starter_flags:
        return model.starter_flags[flag]
    offered = ", ".join(f"--{f}" for f in model.starter_flags)
    raise UserError(
        f"--{flag} does not apply to --model={name}, which takes"
        f" {offered or 'none of the starter code model flags'}; its options are {', '.join(known)}."
    )


def _value(text: str) -> Any:
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text


def _check_bounds(model: type[Yt8mModel], key: str, value: Any, given: str) -> None:
    wrong = out_of_bounds(model, key, value)
    if wrong:
        raise UserError(f"{given}: {wrong}.")
