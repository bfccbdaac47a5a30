"""Constructor arguments that are lists of whole numbers, kept so that either Keras leaves them alone."""

from __future__ import annotations

from typing import Sequence, Tuple, Union


def integers(value: Union[str, int, Sequence[int]], name: str) -> Tuple[int, ...]:
    """Return a list of whole numbers, which may be given as text: "512,1024".

    A model keeps it as text and gives it out by this: Keras 2 wraps a list that is an attribute, and its
    checkpoints then track it.

    Args:
      value: the argument.
      name: its name, for the message.

    Raises:
      ValueError: not positive whole numbers, or none.
    """
    parts = value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else list(value)
    try:
        numbers = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise ValueError(f"{name} is a list of positive whole numbers, such as [512,1024], not {value!r}")
    return numbers


def as_text(numbers: Sequence[int]) -> str:
    """Return numbers as the text that `integers` reads."""
    return ",".join(str(n) for n in numbers)
