"""Command-line flags made from settings: their definition, their values, and the text of `--help`.

Each command has its own `absl.flags.FlagValues`, so that several commands can run in one process.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from absl import flags
from absl import logging as absl_logging

from yt8m.errors import UserError
from yt8m.settings import Setting, bound_text, check, check_value, settings_of
from yt8m.text_lines import check_readable

T = TypeVar("T")

_WIDTH = 100  # columns of the help text
_INDENT = 30  # columns before the description of a flag
_LARGEST_FLAGFILE = 1 << 20  # bytes
_HELP_FLAGS = frozenset({"--help", "-help", "-h", "--helpfull", "--helpshort", "--h"})
_DEFINE: dict[type, Callable[..., Any]] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    list: flags.DEFINE_list,
}


@dataclasses.dataclass(frozen=True)
class Section:
    """A dataclass whose settings become flags of a command.

    Attributes:
      settings: the dataclass.
      group: heading in `--help` instead of the settings' own.
      optional: the flags are None if they are not given, whatever the settings' defaults.
    """

    settings: type
    group: str = ""
    optional: bool = False

    def flags(self) -> Iterator[Setting]:
        """Yield the declaration of each flag."""
        for declared in settings_of(self.settings).values():
            changed: dict[str, Any] = {"group": self.group} if self.group else {}
            if self.optional:
                changed["flag_default"] = None
            yield dataclasses.replace(declared, **changed)


def define(sections: Iterable[Section]) -> flags.FlagValues:
    """Return unparsed flags for every setting of a command, and absl's own logging flags."""
    values = flags.FlagValues()
    for section in sections:
        for s in section.flags():
            make = flags.DEFINE_multi_string if s.repeated else _DEFINE[s.kind]
            make(s.flag, s.flag_default, s.help, flag_values=values)
    for flag in flags.FLAGS.flags_by_module_dict().get(absl_logging.__name__, []):
        values[flag.name] = flag
    return values


def parse(values: flags.FlagValues, arguments: Sequence[str], positional: str = "") -> None:
    """Parse a command line.

    Args:
      values: from `define`.
      arguments: without the program's name.
      positional: the flag that one argument without a name sets, or several if its value is a list;
        "" allows no such argument.

    Raises:
      UserError: a flag is unknown or has a value of another type, or an argument is not a flag.
    """
    if positional:
        values.set_gnu_getopt()  # Flags may follow the argument.
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        flag, equals, path = argument.partition("=")
        if flag in ("--flagfile", "-flagfile"):
            check_readable(os.path.expanduser(path if equals else following), _LARGEST_FLAGFILE)
    try:
        rest = values(["", *arguments])[1:]
        if positional and rest and not values[positional].present:
            if isinstance(values[positional].parser, flags.ListParser):
                values[positional].value, rest = list(rest), []
            elif len(rest) == 1:
                values[positional].value = rest.pop()
    except flags.Error as error:
        raise UserError(f"{error} --help lists the flags.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--flagfile: a file of flags cannot be read ({error}).") from error
    if rest:
        raise UserError(f"unexpected arguments {rest}: every option is a flag, --name=value.")


def bounded(kind: type, at_least: float, at_most: float) -> Callable[[str], Any]:
    """Return what turns an argument of `argparse` into a number within bounds.

    Args:
      kind: int or float.
      at_least: the smallest number.
      at_most: the largest number.
    """

    def parsed(text: str) -> Any:
        try:
            value = kind(text)
        except (ValueError, OverflowError):
            value = None
        if value is None or not at_least <= value <= at_most:
            noun = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(
                f"{text[:100]}: expected {noun} of at least {bound_text(at_least)} and at most"
                f" {bound_text(at_most)}"
            )
        return value

    return parsed


class Parser(argparse.ArgumentParser):
    """A parser of the commands with few flags, which refuses `--flag=--`.

    Python's own takes the value for the end of the flags, and then finds none. It also says nothing
    of a help text that cannot be written.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the values and what is left over; see `argparse`."""
        given = sys.argv[1:] if args is None else list(args)
        for argument in given:
            flag, _, value = argument.partition("=")
            if flag.startswith("-") and value == "--":
                self.error(f"{argument}: -- is no value; expected one after {flag}=")
        return super().parse_known_args(given, namespace)

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether a command line contains `--help` or one of absl's other names for it."""
    return not _HELP_FLAGS.isdisjoint(arguments)


def _field_value(declared: Setting, value: Any) -> Any:
    """Return the value of a field for the value of its flag."""
    if declared.switch and value is not None:
        value = declared.switch[bool(value)]
    check_value(declared, value)
    return value


def given(cls: type, values: flags.FlagValues) -> dict[str, Any]:
    """Return field -> value for the flags of a dataclass that are on the command line.

    Raises:
      UserError: a value is out of bounds or not one of the choices.
    """
    return {
        name: _field_value(declared, values[declared.flag].value)
        for name, declared in settings_of(cls).items()
        if values[declared.flag].present
    }


def read(cls: type[T], values: flags.FlagValues) -> T:
    """Return a dataclass filled from its flags; flags not given have the setting's default.

    Raises:
      UserError: a value is out of bounds or not one of the choices.
    """
    instance = cls(
        **{
            name: _field_value(declared, values[declared.flag].value)
            for name, declared in settings_of(cls).items()
        }
    )
    check(instance)
    return instance


def help_text(usage: str, about: str, sections: Sequence[Section]) -> str:
    """Return the text of `--help`: first the flags that most users need, then the others in groups.

    Args:
      usage: a command line, such as "python train.py --model=NAME".
      about: what the command does.
      sections: the command's.
    """
    common: list[Setting] = []
    groups: dict[str, list[Setting]] = {}
    for section in sections:
        for s in section.flags():
            (common if s.common else groups.setdefault(s.group or "Other flags", [])).append(s)
    lines = [about, "", f"Usage: {usage}"]
    for title, members in [("Most used", common), *groups.items()]:
        lines += ["", f"{title}:", *(line for s in members for line in _help_lines(s))]
    lines += [
        "",
        "Flags can also be read from a file, one per line: --flagfile=FILE. Messages of the"
        " libraries:",
        "--verbosity=-1 (warnings; 0: also information), --logtostderr and absl's other logging "
        "flags.",
    ]
    return "\n".join(lines) + "\n"


def _help_lines(declared: Setting) -> list[str]:
    if declared.kind is bool:
        name = f"  --[no]{declared.flag}"
    else:
        unit = {int: "N", float: "X", list: "A,B,..."}.get(declared.kind, "TEXT")
        if declared.repeated or declared.choices:
            unit = "NAME=VALUE" if declared.repeated else "NAME"
        name = f"  --{declared.flag}={unit}"
    text = declared.help
    if declared.choices and not declared.switch:
        missing = [c for c in declared.choices if c and c not in text]
        text += f": {', '.join(c for c in declared.choices if c)}" if missing else ""
    if declared.kind is bool:
        text += " (default: on)" if declared.flag_default else ""
    elif declared.flag_default not in (None, "", ()) and not (
        declared.flag_default == 0 and "0:" in text
    ):
        text += f" (default: {declared.flag_default})"
    body = textwrap.wrap(text, _WIDTH - _INDENT, break_on_hyphens=False)
    if len(name) >= _INDENT:
        return [name, *(" " * _INDENT + line for line in body)]
    return [
        f"{name:<{_INDENT}}{body[0] if body else ''}",
        *(" " * _INDENT + line for line in body[1:]),
    ]
