"""The parts of a command."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Sequence

from absl.flags import FlagValues

from yt8m import flags
from yt8m.flags import Section

_SCRIPTS = {"train": "train.py", "eval": "eval.py", "predict": "inference.py", "fuse": "fusion.py"}


@dataclasses.dataclass(frozen=True)
class Command:
    """A command whose flags are the settings of dataclasses.

    Attributes:
      about: what it does, for `--help`.
      usage: its typical flags, for `--help`.
      sections: its flags.
      main: does the work, given the parsed flags; returns the exit code, None for 0.
      positional: the flag that the one argument without a name stands for, or all of them if its
        value is a list; "" allows none.
    """

    about: str
    usage: str
    sections: tuple[Section, ...]
    main: Callable[[FlagValues], int | None]
    positional: str = ""

    def run(self, arguments: Sequence[str]) -> int | None:
        """Parse the arguments, do the work, and return the exit code, None for 0."""
        values = flags.define(self.sections)
        flags.parse(values, arguments, self.positional)
        return self.main(values)

    def help_text(self, called: str) -> str:
        """Return the text of `--help`.

        Args:
          called: how the user calls the command, such as "yt8m train".
        """
        return flags.help_text(f"{called} {self.usage}", self.about, self.sections)


def shown(command: Sequence[str]) -> str:
    """Return a command as a user would type it: with a root script, if there is one, or `yt8m`."""
    name, *more = command
    script = _SCRIPTS.get(name, "")
    if script and os.path.isfile(script):
        return shlex.join(["python", script, *more])
    if name == "synthetic":
        return shlex.join(["python", "-m", "yt8m.data.synthetic", *more])
    return shlex.join(["yt8m", *command])


def say_next(*command: str, to_fill_in: str = "") -> None:
    """Print the command that usually follows the one that ends.

    Args:
      *command: a command of `yt8m` with its flags.
      to_fill_in: further flags, with words in capitals that only the user can replace.
    """
    print(f"next: {' '.join(filter(None, [shown(command), to_fill_in]))}", flush=True)
