"""Reading and checking of the files in `rows/`, one JSON file per row of the papers' tables.

A file contains the fields of `PaperRow`; flags are written as on a command line. A row that differs
little from another names it: `"like": NAME` takes over all fields but name, row, order, reported
and also. `"replace": {OLD: NEW}` then replaces text in the settings taken over, and the fields that
the file does give override them, those of `paper` and `small` one by one. Seeds are not taken over.

`"code": {OLD: NEW}` replaces text in the paper's setting, which gives that of the published code.
"""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

from yt8m.errors import UserError
from yt8m.papers.commands import merged
from yt8m.papers.paper_row import METRICS, Fuse, PaperRow, Stage, Variant, VariantName
from yt8m.papers.paper_tables import TABLES

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rows")
_NOT_TAKEN_OVER = ("name", "row", "order", "reported", "also")
_VARIANTS: tuple[VariantName, ...] = ("paper", "small")


def load_all(folder: str = FOLDER) -> dict[str, PaperRow]:
    """Return every row by name, in the order of the tables and of their rows."""
    names = sorted(f for f in os.listdir(folder) if f.endswith(".json"))
    rows = [load(os.path.join(folder, name)) for name in names]
    tables = list(TABLES)
    rows.sort(key=lambda r: (tables.index(r.table), r.order, r.name))
    return {r.name: r for r in rows}


def load(path: str) -> PaperRow:
    """Return the row of a file.

    Raises:
      UserError: the file is not JSON, or not a complete row, or named after another row.
    """
    row = parse(_resolved(path), path)
    if os.path.basename(path) != f"{row.name}.json":
        raise UserError(
            f"{path}: the row is named {row.name!r}, but a file is named after its row."
        )
    return row


def parse(values: dict[str, Any], where: str) -> PaperRow:
    """Return the row that a JSON object describes.

    Args:
      values: the fields of `PaperRow`, without "like".
      where: name of the file, for messages.

    Raises:
      UserError: a field is missing, unknown or has a wrong value.
    """
    try:
        paper, small = (_variant(values[name]) for name in _VARIANTS)
        code = _code(values, where)
        row = PaperRow(**{**values, "paper": paper, "small": small, "code": code})
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"{where} is not a row of a table: {error}.") from None
    fault = _fault(row)
    if fault:
        raise UserError(f"{where}: {fault}.")
    return row


def _resolved(path: str, users: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields of a file, including those taken over from the row that it is like.

    Args:
      path: the file.
      users: the files that are like it, outermost first.
    """
    if path in users:
        raise UserError(f"{path} takes over its own fields, by way of {', '.join(users)}.")
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}.") from None
    except FileNotFoundError:
        raise UserError(f"{users[-1] if users else path} needs {path}, which is missing.") from None
    if "like" not in values:
        return values
    like = os.path.join(os.path.dirname(path), f"{values.pop('like')}.json")
    base = _resolved(like, (*users, path))
    found = {k: v for k, v in base.items() if k not in _NOT_TAKEN_OVER}
    settings = {v: {k: x for k, x in base[v].items() if k != "seeds"} for v in _VARIANTS}
    settings = _all_replaced(settings, values.pop("replace", {}), path, like)
    overridden = {v: {**settings[v], **values.pop(v, {})} for v in _VARIANTS}
    return {**found, **values, **overridden}


def _code(values: dict[str, Any], where: str) -> Variant | None:
    """Return the setting of the published code, if the row has one."""
    replace = values.get("code")
    if not replace:
        return None
    return _variant(_all_replaced(values["paper"], replace, where, "the paper's setting"))


def _all_replaced(settings: Any, replace: dict[str, str], path: str, place: str) -> Any:
    """Return the settings with each text replaced; one that does not occur is an error."""
    for old, new in replace.items():
        replaced = _replaced(settings, old, new)
        if replaced == settings:
            raise UserError(f"{path}: {old!r} is to be replaced, but does not occur in {place}.")
        settings = replaced
    return settings


def _replaced(values: Any, old: str, new: str) -> Any:
    if isinstance(values, str):
        return values.replace(old, new)
    if isinstance(values, list):
        return [_replaced(v, old, new) for v in values]
    if isinstance(values, dict):
        return {k: _replaced(v, old, new) for k, v in values.items()}
    return values


def _variant(values: dict[str, Any]) -> Variant:
    data, fuse = values["data"], values.get("fuse")
    parsed = {
        "data": (data,) if isinstance(data, str) else tuple(data),
        "stages": tuple(_stage(s) for s in values.get("stages", [])),
        "fuse": Fuse(fuse["method"], tuple(fuse["inputs"])) if fuse else None,
        "eval_flags": tuple(shlex.split(values.get("eval_flags", ""))),
        "seeds": tuple(values.get("seeds", (0,))),
    }
    return Variant(**{**values, **parsed})


def _stage(values: dict[str, Any]) -> Stage:
    flags_for = {k: tuple(shlex.split(v)) for k, v in values.get("flags_for", {}).items()}
    flags = tuple(shlex.split(values.get("flags", "")))
    return Stage(**{**values, "flags": flags, "flags_for": flags_for})


def _fault(row: PaperRow) -> str:
    """Return a description of a row's fault, or an empty string."""
    if row.table not in TABLES:
        return f"table {row.table!r} is not one of {', '.join(TABLES)}"
    for table, view in row.also.items():
        if table not in TABLES or set(view) != {"row", "order", "reported"}:
            return f"also[{table!r}] is not a table with row, order and reported"
    for reported in (row.reported, *(view["reported"] for view in row.also.values())):
        unknown = set(reported) - {*METRICS, "gap_private"}
        if unknown:
            return f"reported contains {sorted(unknown)}, which are not metrics"
    if row.small.minutes <= 0:
        return "small.minutes is missing"
    faults = ((name, _variant_fault(row.variant(name))) for name in (*_VARIANTS, "code"))
    return next((f"{name}{fault}" for name, fault in faults if fault), "")


def _variant_fault(variant: Variant) -> str:
    if bool(variant.stages) == bool(variant.fuse):
        return " needs either stages or fuse"
    if variant.level not in (("",) if variant.fuse else ("video", "frame")):
        return f".level is {variant.level!r}, not video or frame (or empty, for a fusion)"
    if not variant.data or not variant.seeds:
        return " has no data or no seeds"
    if variant.stages and not any(s.kind == "train" for s in variant.stages):
        return " trains nothing"
    names: list[str] = []
    for stage in variant.stages:
        if stage.kind not in ("train", "predict") or stage.split not in ("train", "validate"):
            return f": stage {stage.name} has kind {stage.kind!r} and split {stage.split!r}"
        if stage.kind == "predict" and not (stage.of in names or stage.of.startswith("run:")):
            return f": stage {stage.name} predicts by {stage.of!r}, which is not an earlier stage"
        for flags in (stage.flags, *stage.flags_for.values()):
            twice = sorted(set(flags) - set(merged(flags)))
            if twice:
                return f": stage {stage.name} gives {', '.join(twice)} and then overrides it"
        names.append(stage.name)
    return ": two stages have the same name" if len(set(names)) < len(names) else ""
