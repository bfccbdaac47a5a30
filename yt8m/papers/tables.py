"""A paper's table beside ours, as text for a terminal or for Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from yt8m.papers.paper_row import ABOUT, TABLES, PaperRow

Result = dict[str, Any]
_TITLES = {"gap": "GAP", "map": "MAP", "perr": "PERR", "hit_at_1": "Hit@1", "hit_at_5": "Hit@5"}


def best_of(results: Sequence[Result], recipe: str, data: str, seed: int) -> Result | None:
    """Return the small variant's result of a recipe on a data set with a seed, or None."""
    for r in results:
        if (r["recipe"], r["data"]["name"], r["seed"], r["variant"]) == (
            recipe,
            data,
            seed,
            "small",
        ):
            return r
    return None


def rows(recipes: Sequence[PaperRow], results: Sequence[Result]) -> list[list[str]]:
    """Return a table's cells, its head first: the paper's columns, then ours, a line a recipe and data set."""
    reported = [m for m in _TITLES if any(m in r.reported for r in recipes)]
    head = [
        "row",
        *(f"paper {_TITLES[m]}" for m in reported),
        "data",
        *_TITLES.values(),
        "min",
        "CPU min",
        "GB",
        "examples/s",
    ]
    lines = [head]
    for recipe in recipes:
        paper = [f"{recipe.reported[m]:.4f}" if m in recipe.reported else "–" for m in reported]
        for data in recipe.small.data:
            for seed in recipe.small.seeds:
                lines.append(
                    [
                        recipe.row,
                        *paper,
                        data + (f", seed {seed}" if seed else ""),
                        *_ours(best_of(results, recipe.name, data, seed)),
                    ]
                )
    return lines


def _ours(result: Result | None) -> list[str]:
    if result is None:
        return ["not run"] + [""] * (len(_TITLES) + 3)
    m = result["metrics"]
    peak, speed, cpu = (
        result.get("peak_bytes", 0),
        result.get("examples_per_second"),
        result.get("cpu_seconds", 0),
    )
    return [
        *(f"{m[k]:.4f}" for k in _TITLES),
        f"{result['seconds'] / 60:.1f}",
        f"{cpu / 60:.1f}" if cpu else "–",
        f"{peak / 1e9:.1f}" if peak else "–",
        f"{speed:,.0f}" if speed else "–",
    ]


def fusion_rows(recipes: Sequence[PaperRow], results: Sequence[Result]) -> list[list[str]]:
    """Return the cells of a table of fusions: GAP with APs of the same videos, and of one half for the other."""
    lines = [
        ["row", "paper GAP", "data", "GAP", "MAP", "GAP, APs of one half", "MAP, APs of one half"]
    ]
    singles: dict[str, list[str]] = {}
    for recipe in recipes:
        for data in recipe.small.data:
            r = best_of(results, recipe.name, data, recipe.small.seeds[0])
            paper = f"{recipe.reported['gap']:.6f}" if "gap" in recipe.reported else "–"
            if r is None or "fit_on_half" not in r:
                lines.append([recipe.row, paper, data, "not run", "", "", ""])
                continue
            lines.append(
                [recipe.row, paper, data, *_both(r["metrics"], r["fit_on_half"]["metrics"])]
            )
            singles[data] = [
                f"best single model: {r['best_single']['input']}",
                "–",
                data,
                *_both(r["best_single"], r["fit_on_half"]["best_single"]),
            ]
    return lines + list(singles.values())


def _both(whole: dict[str, float], half: dict[str, float]) -> list[str]:
    return [f"{m[k]:.6f}" for m in (whole, half) for k in ("gap", "map")]


def cells(table: str, recipes: Sequence[PaperRow], results: Sequence[Result]) -> list[list[str]]:
    """Return the cells of any table."""
    return (fusion_rows if table == "5" else rows)(recipes, results)


def as_text(table: str, recipes: Sequence[PaperRow], results: Sequence[Result]) -> str:
    """Return a table for a terminal, columns aligned."""
    lines = cells(table, recipes, results)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    left = (0, lines[0].index("data"))  # words; numbers are flush right
    text = [
        "  ".join(
            c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))
        )
        for line in lines
    ]
    about = ["", textwrap.fill(ABOUT[table], 120)] if table in ABOUT else []
    return "\n".join([TABLES[table], *about, "", *(t.rstrip() for t in text)])


def as_markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return cells as a Markdown table; "|" within a cell is escaped."""
    safe = [[c.replace("|", "\\|") for c in line] for line in lines]
    return "\n".join(
        f"| {' | '.join(line)} |" for line in [safe[0], ["---"] * len(safe[0]), *safe[1:]]
    )
