"""The league as one picture: quality against training speed, readable in light and in dark.

matplotlib draws it (`pip install 'yt8m[figures]'`).
"""

from __future__ import annotations

import importlib.util
import io
import math
import statistics
from collections.abc import Sequence
from typing import Any

from yt8m.papers.league.contests import CONTESTS, Contest
from yt8m.papers.league.label_places import label_places
from yt8m.papers.league.standings import Standing, standings
from yt8m.papers.results import Result

_INK = "#24292f"  # replaced by a color that follows the reader's color scheme
_DONE, _STOPPED = "#2f81f7", "#d1752a"
_STYLE = "<style>svg{--ink:#24292f}@media (prefers-color-scheme: dark){svg{--ink:#e6edf3}}</style>"
_NAMED = 10  # models of a contest that are named: the best ones
_WIDTH, _HEIGHT = 230.0, 220.0  # of the axes in typographic points, about: labels need no more


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(runs: Sequence[Result]) -> str | None:
    """Return the picture as SVG, or None if nothing was measured yet.

    Args:
      runs: results of runs.
    """
    panels = []
    for contest in CONTESTS.values():
        found = standings(runs, contest.name, contest.metric, ())
        shown = [s for s in found if s.runs and s.cost("examples_per_second")]
        if shown:
            panels.append((contest, shown))
    if not panels:
        return None
    import matplotlib

    # Text stays text, and the same results give the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "league"}):
        return _svg(panels)


def _svg(panels: Sequence[tuple[Contest, Sequence[Standing]]]) -> str:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = min(2, len(panels))  # More would be too small to read on a page.
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(5.6 * columns, 4.2 * rows), layout="constrained")
    figure.patch.set_alpha(0.0)
    for i, (contest, shown) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, i + 1)
        _panel(axes, contest, shown)
    ends = {"ended by its recipe": _DONE, "stopped by the time limit": _STOPPED}
    marks = [Line2D([], [], color=c, marker="o", ls="", label=text) for text, c in ends.items()]
    figure.legend(
        handles=marks, loc="outside lower center", ncols=2, frameon=False, fontsize=8,
        labelcolor=_INK,
    )  # fmt: skip
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None}, transparent=True)
    text = content.getvalue().replace(_INK, "var(--ink)")
    head, tag, rest = text.partition("<defs>")
    return f"{head}{_STYLE}\n {tag}{rest}"


def _panel(axes: Any, contest: Contest, shown: Sequence[Standing]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    metric = contest.metric
    speeds, values = [_speed(s) for s in shown], [s.mean(metric) for s in shown]
    left, right = min(speeds) / 1.5, max(speeds) * 1.5
    bottom, top = _limits(values)
    drawn = [max(v, bottom + 0.02 * (top - bottom)) for v in values]
    for stopped, color in ((False, _DONE), (True, _STOPPED)):
        for below, mark in ((False, "o"), (True, "v")):
            own = [
                i
                for i, s in enumerate(shown)
                if any(r["stopped"] for r in s.runs) == stopped and (values[i] < bottom) == below
            ]
            axes.scatter(
                [speeds[i] for i in own], [drawn[i] for i in own], s=24, color=color, marker=mark,
                zorder=3,
            )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    points = [
        (
            _WIDTH * math.log(x / left) / math.log(right / left),
            _HEIGHT * (y - bottom) / (top - bottom),
        )
        for x, y in zip(speeds, drawn)
    ]
    # Names beside the points would cover one another: models alike are neighbors here.
    for i, place in enumerate(label_places(points[:_NAMED], points[_NAMED:])):
        axes.annotate(
            str(i + 1), (speeds[i], drawn[i]), xytext=place, textcoords="offset points",
            ha="center", va="center", fontsize=8, color=_INK,
        )  # fmt: skip
    lines = [f"{i + 1}  {s.model}" for i, s in enumerate(shown[:_NAMED])]
    hidden = [f"{s.model} {v:.3f}" for s, v in zip(shown, values) if v < bottom]
    for i, line in enumerate([*lines, "", "Below the picture:", *hidden] if hidden else lines):
        axes.text(
            1.02, 0.97 - 0.065 * i, line, transform=axes.transAxes, va="top", fontsize=8,
            color=_INK,
        )  # fmt: skip
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("examples/s in training (log scale)", color=_INK)
    axes.set_ylabel(metric.upper(), color=_INK)
    axes.set_title(contest.title, loc="left", color=_INK, fontsize=10)
    axes.grid(color=_INK, alpha=0.15, lw=0.5, zorder=1)
    axes.tick_params(which="both", colors=_INK)
    axes.patch.set_alpha(0.0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_INK)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the axis; the few values far below the rest do not fit."""
    best, middle = max(values), statistics.median(values)
    bottom = max(min(values), best - 4 * (best - middle))
    margin = 0.06 * (best - bottom) or 0.01
    return bottom - margin, best + margin


def _speed(s: Standing) -> float:
    return float(s.cost("examples_per_second") or 0.0)
