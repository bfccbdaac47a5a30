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
import numbers
import typing
from collections.abc import Mapping
from typing import Any

from yt8m.errors import UserError, near_misses

_KEY = "setting"
# The bounds of every number that declares none: what TensorFlow's 32-bit integers and floats hold.
_LARGEST: dict[type, float] = {int: 2**31 - 1, float: 1e30}
# Bounds that several settings share, so that a slip of the hand is refused before it takes all
# memory, or a time that no timer of the operating system takes.
SECONDS = 1e9
MINUTES = 1e7
MOST_IN_A_BATCH = 10**7
MOST_FRAMES = 100_000  # of a video: 28 hours at one a second
MOST_CLASSES = 10**6  # whose names take about 100 MB
MOST_BEST = 100_000  # classes of a video that are ranked


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
      at_least, above, at_most: bounds of a number, or None. Every number has an upper one.
      may_change: a resumed run may have another value.
      switch: the two values that a boolean flag stands for, (false, true); empty for every other
        flag.
      repeated: the flag may be given several times, and its value is the list of them.
      may_be_none: whether the field may be None, which then means "not given".
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
    may_be_none: bool = True

    @property
    def expected(self) -> str:
        """The allowed values, for error messages: "a number above 0 and at most 1"."""
        if self.choices:
            return f"one of {', '.join(c or repr(c) for c in self.choices)}"
        if self.kind not in _LARGEST:
            return _NOUNS[self.kind]
        bounds = [
            f"{text} {bound_text(bound)}"
            for text, bound in (
                ("above", self.above),
                ("of at least", self.at_least),
                ("at most", self.at_most),
            )
            if bound is not None
        ]
        return f"{_NOUNS[self.kind]} {' and '.join(bounds)}"

    def allows(self, value: Any) -> bool:
        """Whether a value is of the right kind, one of the choices and within the bounds.

        None always is; `check` knows where it has no meaning.
        """
        if value is None:
            return True
        if self.kind is list:
            return isinstance(value, (list, tuple)) and all(map(self._may_be_in_list, value))
        if self.choices or self.switch:
            return isinstance(value, str) and value in (self.choices or self.switch)
        if self.kind in _LARGEST:
            return self._is_number(value) and self._within(value)
        return _is_text(value) if self.kind is str else isinstance(value, self.kind)

    def _may_be_in_list(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        return not isinstance(value, str) or _is_text(value)

    def _is_number(self, value: Any) -> bool:
        kind = numbers.Integral if self.kind is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)

    def _within(self, value: float) -> bool:
        return not (
            (self.above is not None and not value > self.above)
            or (self.at_least is not None and not value >= self.at_least)
            or (self.at_most is not None and not value <= self.at_most)
        )


_NOUNS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text without a null character",
    list: "a list of texts without a null character",
}


def bound_text(bound: float) -> str:
    """Return a bound for messages: whole numbers in full."""
    return f"{int(bound):,}" if float(bound).is_integer() and bound < 1e15 else f"{bound:g}"


def _is_text(value: Any) -> bool:
    """Whether a value is text that can be part of a path: UTF-8, and without a null character."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


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
      at_most: largest number that is allowed; by default what TensorFlow can represent.
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
    return {f.name: _declared(f) for f in dataclasses.fields(cls) if _KEY in f.metadata}


def _declared(field: dataclasses.Field[Any]) -> Setting:
    values, kind = dict(field.metadata[_KEY]), _kind(field)
    values["flag"] = values["flag"] or field.name
    if values["at_most"] is None:
        values["at_most"] = _LARGEST.get(kind)
    return Setting(**values, kind=kind, may_be_none="None" in str(field.type))


def check_value(declared: Setting, value: Any) -> None:
    """Refuse a value that a setting does not allow.

    Raises:
      UserError: the value is out of bounds, or not one of the choices.
    """
    if not declared.allows(value):
        shown = f"{value:g}" if isinstance(value, float) else _shown(value)
        hint = near_misses(str(value), declared.choices) if declared.choices and value else ""
        raise UserError(f"--{declared.flag}={shown}: expected {declared.expected}.{hint}")


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, (str, int)) else repr(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= 200 else f"{text[:200]}..."


def check(instance: Any) -> None:
    """Refuse an instance with a value that its settings do not allow.

    Raises:
      UserError: names the flag, the value and what was expected.
    """
    for name, declared in settings_of(type(instance)).items():
        value = getattr(instance, name)
        if value is None and not declared.may_be_none:
            raise UserError(f"--{declared.flag} has no value: expected {declared.expected}.")
        check_value(declared, value)


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
