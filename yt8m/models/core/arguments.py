"""Constructor arguments of models: their names, and the bounds and lists of whole numbers."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Sequence
from typing import Any, Union

from yt8m.layers.recorded_arguments import RecordedArguments

# A list of whole numbers; a command line gives it as text: "512,1024".
Integers = Union[str, int, Sequence[int]]

_DECIDED_BY_THE_DATA = ("num_classes", "feature_sizes", "video_sizes")


def constructor_arguments(model: type) -> list[str]:
    """Return the names of a model's constructor arguments, without those set by the data."""
    return [name for name in _parameters(model) if name not in _DECIDED_BY_THE_DATA]


def default_arguments(model: type) -> dict[str, Any]:
    """Return the default of each constructor argument that has one, inherited ones included."""
    return {
        name: parameter.default
        for name, parameter in _parameters(model).items()
        if parameter.default is not parameter.empty
    }


def integer_bounds(model: type) -> dict[str, int]:
    """Return the least value of each constructor argument that is annotated as `int`.

    It is 0 if 0 is the default, which then means "none" or "all", or if the model's
    `zero_has_meaning` names the argument; otherwise it is 1.
    """
    zero = getattr(model, "zero_has_meaning", ())
    return {
        name: 0 if parameter.default == 0 or name in zero else 1
        for name, parameter in _parameters(model).items()
        if parameter.annotation in ("int", int)
    }


def out_of_bounds(model: type, name: str, value: Any) -> str:
    """Return what an integer argument must be if `value` is out of bounds, otherwise ""."""
    least = integer_bounds(model).get(name)
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if least is None or (whole and value >= least):
        return ""
    return f"expected a whole number of {least} or more"


def integers(value: Integers, name: str) -> list[int]:
    """Return a list of whole numbers, which may be given as text such as "512,1024".

    Args:
      value: the list, its text, or a single number.
      name: name of the argument, for the message.

    Raises:
      ValueError: the value is empty or holds something other than positive whole numbers.
    """
    parts = value.split(",") if isinstance(value, str) else value
    try:
        found = [int(part) for part in ([parts] if isinstance(parts, int) else parts)]
    except (TypeError, ValueError):
        found = []
    if not found or min(found) < 1:
        raise ValueError(
            f"{name} must be a list of positive whole numbers, such as [512,1024], not {value!r}"
        )
    return found


def _parameters(model: type) -> dict[str, inspect.Parameter]:
    """Return the named parameters of a model's constructors, starting with its own class."""
    found: dict[str, inspect.Parameter] = {}
    for cls in model.__mro__:
        if issubclass(cls, RecordedArguments) and "__init__" in vars(cls):
            for name, parameter in list(inspect.signature(cls.__init__).parameters.items())[1:]:
                if parameter.kind is not parameter.VAR_KEYWORD:
                    found.setdefault(name, parameter)
    return found
