"""Constructor arguments that are whole numbers: their bounds, and lists of them, kept so that either Keras leaves them alone."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Sequence
from typing import Any


def integer_bounds(model: type) -> dict[str, int]:
    """Return the least value of each argument of a model that is annotated as `int`.

    That is 1, or 0 where 0 is the default, which then means "none" or "all", and where `zero_has_meaning` names it.
    """
    bounds: dict[str, int] = {}
    for base in model.__mro__:
        for p in (
            inspect.signature(base.__init__).parameters.values() if "__init__" in vars(base) else ()
        ):
            if p.annotation in ("int", int) and p.name not in bounds:
                may_be_0 = p.default == 0 or p.name in getattr(model, "zero_has_meaning", ())
                bounds[p.name] = 0 if may_be_0 else 1
    return bounds


def out_of_bounds(model: type, name: str, value: Any) -> str:
    """Return what an integer argument should be where `value` is something else; "" where all is well."""
    least = integer_bounds(model).get(name)
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return (
        ""
        if least is None or (whole and value >= least)
        else f"expected a whole number of {least} or more"
    )


def integers(value: str | int | Sequence[int], name: str) -> tuple[int, ...]:
    """Return a list of whole numbers, which may be given as text: "512,1024".

    A model keeps it as text and gives it out by this: Keras 2 wraps a list that is an attribute, and its
    checkpoints then track it.

    Args:
      value: the argument.
      name: its name, for the message.

    Raises:
      ValueError: not positive whole numbers, or none.
    """
    parts = (
        value.split(",")
        if isinstance(value, str)
        else [value]
        if isinstance(value, int)
        else list(value)
    )
    try:
        numbers = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise ValueError(
            f"{name} is a list of positive whole numbers, such as [512,1024], not {value!r}"
        )
    return numbers


def as_text(numbers: Sequence[int]) -> str:
    """Return numbers as the text that `integers` reads."""
    return ",".join(str(n) for n in numbers)
