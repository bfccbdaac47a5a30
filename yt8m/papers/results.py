"""What a run gave, as one small JSON: written by `run`, committed by `record`, read by tables and the report."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from typing import Any

from yt8m.errors import UserError
from yt8m.papers.paper_row import FOLDER, METRICS, PaperRow

RESULT = "result.json"
COMMITTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

Result = dict[str, Any]


def write_json(path: str, values: Any) -> None:
    """Write a JSON file whole or not at all."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".tmp", "w", encoding="utf-8") as f:
        f.write(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    os.replace(path + ".tmp", path)


def read_json(path: str) -> Any:
    """Read a JSON file; a `UserError` names it where it is broken."""
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except ValueError as error:
        raise UserError(
            f"{path} is broken ({error}); delete it, and run the recipe again."
        ) from None


def in_folder(out_dir: str) -> list[Result]:
    """Return the results of every finished run under `out_dir`."""
    found = []
    if os.path.isdir(out_dir):
        for name in sorted(os.listdir(out_dir)):
            for run in (
                sorted(os.listdir(os.path.join(out_dir, name)))
                if os.path.isdir(os.path.join(out_dir, name))
                else []
            ):
                path = os.path.join(out_dir, name, run, RESULT)
                if os.path.isfile(path):
                    found.append(read_json(path))
                    check(found[-1], f"{path}, ")
    return found


def committed(folder: str = COMMITTED) -> list[Result]:
    """Return the results that are part of the project."""
    names = (
        sorted(f for f in os.listdir(folder) if f.endswith(".json"))
        if os.path.isdir(folder)
        else []
    )
    return [read_json(os.path.join(folder, f)) for f in names]


def check(result: Result, where: str = "") -> None:
    """Raise a `UserError` where a result lacks what tables and claims need; `where` begins the message."""
    lacking = [
        k
        for k in ("recipe", "variant", "data", "seed", "metrics", "seconds", "commands", "date")
        if k not in result
    ]
    lacking += [f"metrics.{m}" for m in METRICS if m not in result.get("metrics", {})]
    if lacking:
        raise UserError(
            f"{where}the result of {result.get('recipe', 'a recipe')}, lacks {', '.join(lacking)}; run the recipe again."
        )


def record(
    results: Iterable[Result],
    recipes: dict[str, PaperRow],
    folder: str = COMMITTED,
    settings: str = FOLDER,
) -> list[str]:
    """Keep small variants' results in `folder`, and each recipe's minutes, GAP and MAP in its own file; return paths."""
    written = []
    results = [
        r
        for r in results
        if r["variant"] == "small"
        and r["recipe"] in recipes
        and r["data"]["name"] in recipes[r["recipe"]].small.data
    ]
    for result in results:  # before anything is written
        check(result)
    of = {
        os.path.join(folder, f"{r['recipe']}--{r['data']['name']}--seed{r['seed']}.json"): r
        for r in results
    }
    _see_that_data_are_the_same(of, folder)
    for path, result in of.items():
        write_json(path, result)
        written.append(path)
        if result["seed"] == recipes[result["recipe"]].small.seeds[0]:
            _measured(os.path.join(settings, f"{result['recipe']}.json"), result)
    return written


def _see_that_data_are_the_same(new: dict[str, Result], folder: str) -> None:
    """Refuse results on other records than those that stay in `folder` were made on: no table could compare them."""
    names = [f for f in os.listdir(folder) if f.endswith(".json")] if os.path.isdir(folder) else []
    stay = {p: read_json(p) for p in (os.path.join(folder, f) for f in names) if p not in new}
    first: dict[str, Result] = {}
    for path, result in sorted({**stay, **new}.items()):
        data = result["data"]
        other = first.setdefault(data["name"], result)
        wrong = [
            s
            for s in ("train", "validate")
            if data.get(s, {}).get("sha1") != other["data"].get(s, {}).get("sha1")
        ]
        if wrong:
            raise UserError(
                f"{os.path.basename(path)} is of other {wrong[0]} records of {data['name']} than the result of {other['recipe']}"
                f" (made from another sample?). Nothing was kept; run all of a data set's recipes on one sample (--sample_dir)."
            )


def _measured(path: str, result: Result) -> None:
    values = read_json(path)
    found = {
        "minutes": round(result["seconds"] / 60, 1),
        **{m: round(result["metrics"][m], 4) for m in ("gap", "map")},
    }
    values["small"].setdefault("measured", {})[result["data"]["name"]] = found
    write_json(path, values)


def commit() -> str | None:
    """Return the checkout's commit, with "+" where files differ from it, or None where git does not tell."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, timeout=20
        )
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if head.returncode or dirty.returncode:
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")
