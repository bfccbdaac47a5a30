"""A table of a paper next to our results, as text for a terminal or as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from yt8m.papers.paper_row import PaperRow
from yt8m.papers.paper_tables import ABOUT, TABLES
from yt8m.papers.results import Result, small_result

_TITLES = {"gap": "GAP", "map": "MAP", "perr": "PERR", "hit_at_1": "Hit@1", "hit_at_5": "Hit@5"}
_COSTS = ("min", "CPU min", "GB", "examples/s")


def cells(table: str, rows: Sequence[PaperRow], results: Sequence[Result]) -> list[list[str]]:
    """Return the cells of a table, starting with the header."""
    fused = all(row.small.fuse for row in rows)
    return fusion_cells(rows, results) if fused else training_cells(rows, results)


def training_cells(rows: Sequence[PaperRow], results: Sequence[Result]) -> list[list[str]]:
    """Return the paper's columns and ours, one line per row, data set and seed."""
    reported = [m for m in _TITLES if any(m in r.reported for r in rows)]
    papers = [f"paper {_TITLES[m]}" for m in reported]
    lines = [["row", *papers, "data", *_TITLES.values(), *_COSTS]]
    for row in rows:
        paper = [f"{row.reported[m]:.4f}" if m in row.reported else "–" for m in reported]
        for data in row.small.data:
            for seed in row.small.seeds:
                on = f"{data}, seed {seed}" if seed else data
                ours = _ours(small_result(results, row.name, data, seed))
                lines.append([row.row, *paper, on, *ours])
    return lines


def _ours(result: Result | None) -> list[str]:
    if result is None:
        return ["not run"] + [""] * (len(_TITLES) + len(_COSTS) - 1)
    cpu, peak = result.get("cpu_seconds", 0), result.get("peak_bytes", 0)
    speed = result.get("examples_per_second")
    return [
        *(f"{result['metrics'][k]:.4f}" for k in _TITLES),
        f"{result['seconds'] / 60:.1f}",
        f"{cpu / 60:.1f}" if cpu else "–",
        f"{peak / 1e9:.1f}" if peak else "–",
        f"{speed:,.0f}" if speed else "–",
    ]


def fusion_cells(rows: Sequence[PaperRow], results: Sequence[Result]) -> list[list[str]]:
    """Return the metrics with APs from the same videos, and with APs from one half on the other."""
    half = ["GAP, APs from one half", "MAP, APs from one half"]
    lines = [["row", "paper GAP", "data", "GAP", "MAP", *half]]
    singles: dict[str, list[str]] = {}
    for row in rows:
        paper = f"{row.reported['gap']:.6f}" if "gap" in row.reported else "–"
        for data in row.small.data:
            r = small_result(results, row.name, data, row.small.seeds[0])
            if r is None or "fit_on_half" not in r:
                lines.append([row.row, paper, data, "not run", "", "", ""])
                continue
            fused = _both(r["metrics"], r["fit_on_half"]["metrics"])
            lines.append([row.row, paper, data, *fused])
            title = f"best single model: {r['best_single']['input']}"
            best = _both(r["best_single"], r["fit_on_half"]["best_single"])
            singles[data] = [title, "–", data, *best]
    return lines + list(singles.values())


def _both(whole: dict[str, float], half: dict[str, float]) -> list[str]:
    return [f"{m[k]:.6f}" for m in (whole, half) for k in ("gap", "map")]


def as_text(table: str, rows: Sequence[PaperRow], results: Sequence[Result]) -> str:
    """Return a table for a terminal, with aligned columns."""
    lines = cells(table, rows, results)
    widths = [max(map(len, column)) for column in zip(*lines)]
    left = (0, lines[0].index("data"))  # aligned left; numbers are aligned right
    text = []
    for line in lines:
        columns = enumerate(zip(line, widths))
        aligned = (c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in columns)
        text.append("  ".join(aligned).rstrip())
    about = ["", textwrap.fill(ABOUT[table], 120)] if table in ABOUT else []
    return "\n".join([TABLES[table], *about, "", *text])


def as_markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return cells as a Markdown table; "|" in a cell is escaped."""
    header, *rest = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    rule = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rest))
