"""RESULTS.md: the committed results next to the papers' numbers, and the claims they support."""

from __future__ import annotations

import os
from collections.abc import Sequence

from yt8m.papers.claims import CLAIMS
from yt8m.papers.paper_row import PaperRow
from yt8m.papers.paper_tables import ABOUT, TABLES, rows_of, tables_with_rows
from yt8m.papers.results import Result, small_results
from yt8m.papers.tables import as_markdown, cells
from yt8m.papers.verdicts import noise_of, verdicts

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")

_HEAD = """# The papers' results and those of the small variants

`python -m yt8m.papers report` writes this page from the JSON files in `results/`; do not edit
it.
"""

_TEN_LINES = """## Which effects were seen

Ten effects of both papers, with the small variants' data on which each was seen or not. All claims,
with their numbers and margins, are [below](#the-papers-claims).

"""

_ABOUT = """## How to read this page

The papers trained models of thousands of units on millions of videos. The small variants train
models of a hundred to five hundred units on thousands of videos, in minutes, on two cores
without a GPU. So their absolute numbers cannot be compared with the papers'. Rows of one table
on one data set can be compared with one another, as far as noise allows. Learning rates and
epochs were set by hand after a few runs on these videos, once for all rows of a table except the
ResNet, the VLAD and the label decoders. In the tables of UTS no epoch is selected by the
validation videos: each run is evaluated once, at its end. In those of the KDD paper each step
passes on the model with the best validation GAP, as in the paper. MAP leaves out classes without
positives. "min" is the elapsed training time on a machine that may have done other work as
well, and "CPU min" is the processor time on both cores.
"""

_NOISE = """## Noise

A run with another seed gives other numbers. A difference counts only if it is larger than the
margin: Student's t (two-sided, 5 %) times the standard error of the difference. The standard
deviation over seeds is pooled over the rows of a data set that were repeated; where few were, t
makes the margin wide. The margin below is that of two single runs; means of n seeds have one
smaller by the root of n. It does not include the effect of choosing other validation videos.

"""

_CLAIMS = """## The papers' claims

The rules in `claims.py` and `verdicts.py` derive the marks from the numbers. A claim that something
is better or grows is **seen** if the difference is above the margin, **not seen** if the opposite
is, and otherwise **within the noise**. A claim of “no better” or “as well” is seen whenever the
difference is within the margin, which is easy in a small experiment.

"""


def report(rows: dict[str, PaperRow], results: Sequence[Result]) -> str:
    """Return the page as Markdown."""
    results = [r for r in results if r["variant"] == "small"]
    parts = [_HEAD, _ten_lines(results), _ABOUT, _data(results), _noise(results), _claims(results)]
    parts += [_table(table, rows_of(table, rows), results) for table in tables_with_rows(rows)]
    return "\n".join(parts)


def _ten_lines(results: Sequence[Result]) -> str:
    """Return a line for each of the main claims: on which data it was seen, and on which not."""
    lines: dict[str, list[str]] = {}
    for v in verdicts(results, [claim for claim in CLAIMS if claim.main]):
        on = f" on {v.data}" if v.data else ""
        lines.setdefault(v.claim.text, []).append(f"**{v.mark}**{on}")
    return _TEN_LINES + "".join(f"- {text}: {'; '.join(marks)}\n" for text, marks in lines.items())


def _data(results: Sequence[Result]) -> str:
    about: dict[str, str] = {}
    for r in results:
        data, train = r["data"], r["data"]["train"]
        about.setdefault(
            data["name"],
            f"- `{data['name']}`: {data['about']} ({train['shards']} shards of"
            f" {train['bytes'] / 1e6:,.0f} MB, sha1 {train['sha1'][:8]};"
            f" {r['metrics'].get('num_examples', 0):,} videos evaluated).",
        )
    found = (r.get("versions", {}).get("tensorflow") for r in results)
    versions = sorted({f"TensorFlow {version}" for version in found if version})
    run_with = f"Run with {', '.join(versions) or 'nothing yet'}."
    return "\n".join(["## Data", "", *(about[k] for k in sorted(about)), "", run_with, ""])


def _noise(results: Sequence[Result]) -> str:
    lines = [["data", "metric", "standard deviation", "from", "margin"]]
    for data in sorted({r["data"]["name"] for r in results}):
        for metric in ("gap", "map"):
            noise = noise_of(results, data, metric)
            source = "assumed: no row was repeated"
            if noise.runs:
                rows = noise.runs - noise.freedom
                source = f"{noise.runs} runs of {rows} repeated rows, other seeds"
            lines.append([data, metric.upper(), f"{noise.sd:.4f}", source, f"{noise.margin():.4f}"])
    return _NOISE + as_markdown(lines) + "\n"


def _claims(results: Sequence[Result]) -> str:
    lines = [["claim", "data", "mark", "numbers (means over seeds)", "margin"]]
    for v in verdicts(results):
        margin = f"{v.margin:.4f}" if v.margin else "–"
        lines.append([v.claim.text, v.data or "–", f"**{v.mark}**", v.numbers, margin])
    return _CLAIMS + as_markdown(lines) + "\n"


def _table(table: str, rows: Sequence[PaperRow], results: Sequence[Result]) -> str:
    text = [f"## {TABLES[table]}", ""]
    if table in ABOUT:
        text += [ABOUT[table], ""]
    text += [as_markdown(cells(table, rows, results)), ""]
    ran = [(row, found[0]) for row in rows if (found := small_results(results, row))]
    if ran:
        command = f"python -m yt8m.papers table {table}"
        text += [f"`{command}` runs what is missing and prints the table. Commands:", ""]
    for row, result in ran:
        text += [f"- **{row.row}** (`{row.name}`). {row.notes}".rstrip()]
        text += ["", *(f"      {c}" for c in result["commands"]), ""]
    return "\n".join(text)
