"""RESULTS.md: the committed results beside the papers' numbers, and what of the papers' claims they show."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from yt8m.papers.claims import noise_of, verdicts
from yt8m.papers.paper_row import ABOUT, TABLES, PaperRow, of_table, tables
from yt8m.papers.tables import as_markdown, best_of, cells

Result = dict[str, Any]
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")

_HEAD = """# Reported results, and what the small variants gave

Written by `python -m yt8m.papers report` from the JSONs in `results/`; not by hand.

The papers trained on millions of videos and models of thousands of units. The small variants here train on
thousands of videos with models of a hundred to five hundred units, in minutes, on two cores without a GPU. So the absolute numbers
cannot be compared with the papers'; rows of one table on one data set can be compared with one another,
as far as the noise allows. Rates and epochs were set by hand, once for all rows of a table but the ResNet, the VLAD and the
label decoders, after looks at a few runs on these videos. In the tables of UTS no epoch is selected by them: a run is
evaluated once, at its end. In those of the KDD paper each step hands on its best model by their GAP, as in the paper.
MAP leaves out classes without positives. "min" is the training by the clock of a machine that may have done other things
besides, "CPU min" its processor time on both cores.
"""


def report(recipes: dict[str, PaperRow], results: Sequence[Result]) -> str:
    """Return the Markdown text."""
    results = [r for r in results if r["variant"] == "small"]
    parts = [_HEAD, _data(results), _noise(results), _claims(results)]
    for table in tables(recipes):
        parts.append(_table(table, TABLES[table], of_table(table, recipes), results))
    return "\n".join(parts)


def _data(results: Sequence[Result]) -> str:
    about: dict[str, str] = {}
    for r in results:
        d = r["data"]
        about.setdefault(
            d["name"],
            f"- `{d['name']}`: {d['about']} ({d['train']['shards']} shards of {d['train']['bytes'] / 1e6:,.0f} MB, sha1"
            f" {d['train']['sha1'][:8]}; {r['metrics'].get('num_examples', 0):,} videos evaluated).",
        )
    versions = sorted(
        {
            f"TensorFlow {r['versions']['tensorflow']}"
            for r in results
            if r.get("versions", {}).get("tensorflow")
        }
    )
    lines = [
        "## Data",
        "",
        *(about[k] for k in sorted(about)),
        "",
        f"Run with {', '.join(versions) or 'nothing yet'}.",
    ]
    return "\n".join(lines) + "\n"


def _noise(results: Sequence[Result]) -> str:
    lines = [["data", "metric", "standard deviation", "from", "margin"]]
    for data in sorted({r["data"]["name"] for r in results}):
        for metric in ("gap", "map"):
            noise = noise_of(results, data, metric)
            source = (
                f"{noise.runs} runs of repeated recipes, other seeds"
                if noise.runs
                else "assumed: nothing was repeated"
            )
            lines.append([data, metric.upper(), f"{noise.sd:.4f}", source, f"{noise.margin:.4f}"])
    return (
        "## Noise\n\nA run with another seed gives another number. A difference counts only if it is larger than the margin:"
        " twice the standard deviation of a difference of two runs. It is estimated from few runs, and does not hold what"
        " another choice of validation videos would change.\n\n" + as_markdown(lines) + "\n"
    )


def _claims(results: Sequence[Result]) -> str:
    lines = [["claim", "data", "mark", "numbers (means over seeds)", "margin"]]
    for v in verdicts(results):
        lines.append(
            [
                v.claim.text,
                v.data or "–",
                f"**{v.mark}**",
                v.numbers,
                f"{v.margin:.4f}" if v.margin else "–",
            ]
        )
    return (
        "## The papers' claims\n\nMarked by the rules in `claims.py` from the numbers, not by hand. “No better” and “as well”"
        " are seen as soon as the difference is within the margin, which a small experiment makes easy.\n\n"
        + as_markdown(lines)
        + "\n"
    )


def _table(table: str, title: str, recipes: list[PaperRow], results: Sequence[Result]) -> str:
    text = [
        f"## {title}",
        "",
        *([ABOUT[table], ""] if table in ABOUT else []),
        as_markdown(cells(table, recipes, results)),
        "",
    ]
    ran = [
        r
        for r in recipes
        if any(best_of(results, r.name, d, s) for d in r.small.data for s in r.small.seeds)
    ]
    if ran:
        text += [f"`python -m yt8m.papers table {table}` runs and prints it. Commands:", ""]
    for recipe in ran:
        result = next(
            x
            for x in (
                best_of(results, recipe.name, d, s)
                for d in recipe.small.data
                for s in recipe.small.seeds
            )
            if x
        )
        text += [f"- **{recipe.row}** (`{recipe.name}`). {recipe.notes}".rstrip()]
        text += ["", *(f"      {c}" for c in result["commands"]), ""]
    return "\n".join(text)
