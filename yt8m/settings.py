"""One declaration for each setting: a dataclass field with its help text, bounds and choices.

A field made by `setting` contains everything that the program needs to know about a setting.
`yt8m.flags` turns it into a command-line flag and a line of help, `check` enforces its bounds, and
`may_change` says whether a resumed run may have another value. The dataclass itself is what a run
stores as JSON.

    @dataclasses.dataclass(frozen=True)
    class Reading:
        batch_size: int = setting(0, help="examples per batch; 0 takes the run's", at_least=0)
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from yt8m.errors import UserError, near_misses

_KEY = "setting"


@dataclasses.dataclass(frozen=True)
class Setting:
    """The declaration of a setting, apart from its name and its default.

    Attributes:
      flag: name of its command-line flag; the field's name unless declared otherwise.
      kind: type of one value: bool, int, float, str, or list for a comma-separated list of strings.
      flag_default: value of the flag if it is not given.
      help: one line for `--help`.
      group: heading under which `--help` lists the flag.
      common: `--help` lists the flag first, among those that most users need.
      choices: allowed strings; empty if any string is allowed.
      at_least, above, at_most: bounds of a number, or None.
      may_change: a resumed run may have another value.
      switch: the two values that a boolean flag stands for, (false, true); empty for every other
        flag.
      repeated: the flag may be given several times, and its value is the list of them.
    """

    flag: str
    kind: type
    flag_default: Any
    help: str
    group: str
    common: bool
    choices: tuple[str, ...]
    at_least: float | None
    above: float | None
    at_most: float | None
    may_change: bool
    switch: tuple[str, ...]
    repeated: bool

    @property
    def expected(self) -> str:
        """The allowed values, for error messages: "a number above 0 and at most 1"."""
        if self.choices:
            return f"one of {', '.join(c or repr(c) for c in self.choices)}"
        bounds = [
            text.format(bound)
            for text, bound in (
                ("above {:g}", self.above),
                ("of at least {:g}", self.at_least),
                ("at most {:g}", self.at_most),
            )
            if bound is not None
        ]
        noun = "a whole number" if self.kind is int else "a number"
        return f"{noun} {' and '.join(bounds)}"

    def allows(self, value: Any) -> bool:
        """Whether a value is one of the choices and within the bounds; None always is."""
        if value is None:
            return True
        if self.choices:
            return value in self.choices
        return not (
            (self.above is not None and not value > self.above)
            or (self.at_least is not None and not value >= self.at_least)
            or (self.at_most is not None and not value <= self.at_most)
        )


def setting(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    group: str = "",
    common: bool = False,
    choices: Any = (),
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    may_change: bool = False,
    flag: str = "",
    flag_default: Any = dataclasses.MISSING,
    switch: tuple[str, str] | tuple[()] = (),
    repeated: bool = False,
) -> Any:
    """Declare a setting as a dataclass field.

    Args:
      default: default of the field; a field without one must be given.
      help: description of the setting, without a final stop.
      group: heading under which `--help` lists the flag.
      common: whether `--help` lists it first, among the flags that most people need.
      choices: a `Literal` type, or the allowed strings.
      at_least: smallest number that is allowed.
      above: number that the value must exceed.
      at_most: largest number that is allowed.
      may_change: whether a resumed run may have another value.
      flag: name of the flag, if it differs from the field's.
      flag_default: default of the flag, if it differs from the field's; "" for a field without one.
      switch: the two values that a boolean flag stands for, (false, true).
      repeated: whether the flag may be given several times, each time with one more value.
    """
    if flag_default is dataclasses.MISSING:
        flag_default = "" if default is dataclasses.MISSING else default
    if switch:
        flag_default = default == switch[1]
    declared = {
        "flag": flag,
        "flag_default": flag_default,
        "help": help,
        "group": group,
        "common": common,
        "choices": typing.get_args(choices) or tuple(choices),
        "at_least": at_least,
        "above": above,
        "at_most": at_most,
        "may_change": may_change,
        "switch": switch,
        "repeated": repeated,
    }
    return dataclasses.field(default=default, metadata={_KEY: declared})


def _kind(field: dataclasses.Field[Any]) -> type:
    """Return the type of a field's values, from its default or otherwise from its annotation."""
    if field.metadata[_KEY]["switch"]:
        return bool
    if isinstance(field.default, (bool, int, float, str)):
        return type(field.default)
    if isinstance(field.default, (tuple, list)):
        return list
    named = str(field.type).partition("|")[0].strip()
    return {"bool": bool, "int": int, "float": float}.get(named, str)


def settings_of(cls: type) -> dict[str, Setting]:
    """Return the settings of a dataclass by field name, in the order of their declaration."""
    return {
        f.name: Setting(
            **{**f.metadata[_KEY], "flag": f.metadata[_KEY]["flag"] or f.name}, kind=_kind(f)
        )
        for f in dataclasses.fields(cls)
        if _KEY in f.metadata
    }


def check_value(declared: Setting, value: Any) -> None:
    """Refuse a value that a setting does not allow.

    Raises:
      UserError: the value is out of bounds, or not one of the choices.
    """
    if not declared.allows(value):
        shown = f"{value:g}" if isinstance(value, float) else value
        hint = near_misses(str(value), declared.choices) if declared.choices and value else ""
        raise UserError(f"--{declared.flag}={shown}: expected {declared.expected}.{hint}")


def check(instance: Any) -> None:
    """Refuse an instance with a value that its settings do not allow.

    Raises:
      UserError: names the flag, the value and what was expected.
    """
    for name, declared in settings_of(type(instance)).items():
        check_value(declared, getattr(instance, name))


def may_change(classes: Mapping[str, type]) -> frozenset[str]:
    """Return the settings whose values a resumed run may change, as "prefix.field".

    Args:
      classes: prefix -> dataclass, as in a run's `config.json`.
    """
    return frozenset(
        f"{prefix}.{name}"
        for prefix, cls in classes.items()
        for name, declared in settings_of(cls).items()
        if declared.may_change
    )
