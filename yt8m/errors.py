"""The only exception that is shown to users without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args


class UserError(Exception):
    """A mistake that the user can fix.

    The message says what was found, what was expected, and which flag fixes it. Commands
    print it on stderr without a traceback and exit with code 2 (see `yt8m.cli.guarded`).
    """


def look_for_nan(pattern: str = "PATTERN") -> str:
    """Return advice on a loss or score that is not finite, due to NaN features or divergence."""
    command = f"python -m yt8m.data.inspect --full '{pattern}'"
    return f"First run `{command}` to find records with NaN, which also cause this."


def near_misses(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean A or B?` for the known names nearest to `name`, or an empty string."""
    by_lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(by_lower[c] for c in close)}?" if close else ""


def one_of(name: str, value: Any, choices: Any) -> Any:
    """Return an argument's value after checking that it is one of its choices.

    Args:
      name: name of the argument, for the message.
      value: the value.
      choices: a `Literal` type, or a sequence of strings.

    Raises:
      ValueError: the value is something else; the message lists the choices.
    """
    allowed = get_args(choices) or tuple(choices)
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return value
