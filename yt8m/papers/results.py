"""The results of runs, each in a small JSON file.

`run` writes them, `record` adds them to the project, and the tables show them. `show` and `report`
read them without TensorFlow, so this module has its own functions for plain local files.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from yt8m.errors import UserError
from yt8m.files import temporary
from yt8m.papers.paper_row import METRICS, PaperRow

RESULT = "result.json"
COMMITTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")
# The checkout, if the package is in one.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_KEYS = ("recipe", "variant", "data", "seed", "metrics", "seconds", "commands", "date")

# A result's values by key. "recipe" is the name of its row.
Result = dict[str, Any]


def write_json(path: str, values: Any) -> None:
    """Write a JSON file, which gets its name only when it is complete."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    unfinished = temporary(path)
    with open(unfinished, "w", encoding="utf-8") as file:
        file.write(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    os.replace(unfinished, path)


def read_json(path: str) -> Any:
    """Return the contents of a JSON file of a run.

    Raises:
      UserError: the file is not JSON; the message names it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except ValueError as error:
        raise UserError(
            f"{path} is not valid JSON ({error}); delete it and run the row again."
        ) from None


def in_folder(out_dir: str) -> list[Result]:
    """Return the results of every finished run under `out_dir`.

    Raises:
      UserError: a result is broken or incomplete.
    """
    found = []
    for row in _entries(out_dir):
        for run in _entries(os.path.join(out_dir, row)):
            path = os.path.join(out_dir, row, run, RESULT)
            if os.path.isfile(path):
                result = read_json(path)
                check(result, f"{path}, ")
                found.append(result)
    return found


def _entries(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def committed(folder: str = COMMITTED) -> list[Result]:
    """Return the results that are part of the project."""
    return [read_json(os.path.join(folder, f)) for f in _entries(folder) if f.endswith(".json")]


def small_result(results: Iterable[Result], row: str, data: str, seed: int) -> Result | None:
    """Return the result of a row's small variant on a data set with a seed, or None."""
    wanted = (row, data, seed, "small")
    for r in results:
        if (r["recipe"], r["data"]["name"], r["seed"], r["variant"]) == wanted:
            return r
    return None


def small_results(results: Sequence[Result], row: PaperRow) -> list[Result]:
    """Return the results of a row's small variant, by data set and seed."""
    runs = ((data, seed) for data in row.small.data for seed in row.small.seeds)
    found = (small_result(results, row.name, data, seed) for data, seed in runs)
    return [r for r in found if r]


def check(result: Result, where: str = "") -> None:
    """Check that a result has everything that tables and claims need.

    Args:
      result: the result.
      where: begins the message.

    Raises:
      UserError: something is missing.
    """
    lacking = [k for k in _KEYS if k not in result]
    lacking += [f"metrics.{m}" for m in METRICS if m not in result.get("metrics", {})]
    if lacking:
        raise UserError(
            f"{where}the result of {result.get('recipe', 'a row')}, has no {', '.join(lacking)};"
            " run the row again."
        )


def record(
    results: Iterable[Result], rows: dict[str, PaperRow], folder: str = COMMITTED
) -> list[str]:
    """Copy the results of small variants on the rows' own data sets to `folder`; return the paths.

    Raises:
      UserError: a result is incomplete, or its records differ from those of the results that stay
        in `folder`; nothing is written then.
    """
    new: dict[str, Result] = {}
    for result in results:
        name, data = result["recipe"], result["data"]["name"]
        if result["variant"] == "small" and name in rows and data in rows[name].small.data:
            check(result)
            new[os.path.join(folder, f"{name}--{data}--seed{result['seed']}.json")] = result
    _check_same_records(new, folder)
    for path, result in new.items():
        write_json(path, result)
    return list(new)


def _check_same_records(new: dict[str, Result], folder: str) -> None:
    """Refuse results that no table could compare, since the records of their data set differ."""
    paths = (os.path.join(folder, f) for f in _entries(folder) if f.endswith(".json"))
    results = {**{p: read_json(p) for p in paths if p not in new}, **new}
    first: dict[str, Result] = {}
    for path, result in sorted(results.items()):
        data = result["data"]
        other = first.setdefault(data["name"], result)
        for split in ("train", "validate", "test"):
            if _sha1(result, split) != _sha1(other, split):
                raise UserError(
                    f"{os.path.basename(path)} was made on {split} records of {data['name']} that"
                    f" differ from those of {other['recipe']}, perhaps from another sample. Nothing"
                    " was recorded; run all rows of a data set on one sample (--sample_dir)."
                )


def _sha1(result: Result, split: str) -> str | None:
    return result["data"].get(split, {}).get("sha1")


def check_checkout(command: str) -> None:
    """Check that the package is in a checkout of the project, since `command` writes its files.

    Raises:
      UserError: there is no checkout.
    """
    if not is_checkout():
        raise UserError(
            f"`{command}` writes files of the project, but {ROOT} is not a checkout of it; run it"
            " from a checkout, not from an installed package."
        )


def commit() -> str | None:
    """Return the checkout's commit, with "+" if files differ from it, or None if unknown."""
    if not is_checkout():  # git might answer for another project around the package
        return None
    head = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    if head is None or changes is None:
        return None
    return head + ("+" if changes else "")


def is_checkout() -> bool:
    """Return whether the package is in a checkout of the project."""
    return all(os.path.isfile(os.path.join(ROOT, name)) for name in ("setup.cfg", "train.py"))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return None if done.returncode else done.stdout.strip()
