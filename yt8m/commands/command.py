"""The parts of a command."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from absl.flags import FlagValues

from yt8m.flags import Section


@dataclasses.dataclass(frozen=True)
class Command:
    """A command whose flags are the settings of dataclasses.

    Attributes:
      about: what it does, for `--help`.
      usage: its typical flags, for `--help`.
      sections: its flags.
      main: does the work, given the parsed flags; returns the exit code, None for 0.
      positional: the flag that the one argument without a name stands for; "" allows none.
    """

    about: str
    usage: str
    sections: tuple[Section, ...]
    main: Callable[[FlagValues], int | None]
    positional: str = ""
