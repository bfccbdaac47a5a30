"""The league as one picture: quality against training speed, readable in light and in dark.

matplotlib draws it (`pip install 'yt8m[figures]'`).
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from typing import Any

from yt8m.papers.league.contests import CONTESTS, Contest
from yt8m.papers.league.standings import Standing, standings
from yt8m.papers.results import Result

_INK = "#24292f"  # replaced by a color that follows the reader's color scheme
_DONE, _STOPPED = "#2f81f7", "#d1752a"
_STYLE = "<style>svg{--ink:#24292f}@media (prefers-color-scheme: dark){svg{--ink:#e6edf3}}</style>"
_NAMED = 8  # models of a contest that bear their names: the best ones


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

    figure = Figure(figsize=(5.2 * len(panels), 4.4), layout="constrained")
    figure.patch.set_alpha(0.0)
    for i, (contest, shown) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        _panel(axes, contest, shown)
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None}, transparent=True)
    text = content.getvalue().replace(_INK, "var(--ink)")
    head, tag, rest = text.partition("<defs>")
    return f"{head}{_STYLE}\n {tag}{rest}"


def _panel(axes: Any, contest: Contest, shown: Sequence[Standing]) -> None:
    metric = contest.metric
    for stopped, color, label in ((False, _DONE, "by its recipe"), (True, _STOPPED, "stopped")):
        own = [s for s in shown if any(r["stopped"] for r in s.runs) == stopped]
        if own:
            speeds, values = [_speed(s) for s in own], [s.mean(metric) for s in own]
            axes.scatter(speeds, values, s=28, color=color, label=label, zorder=3)
    for i, s in enumerate(shown[:_NAMED]):
        axes.annotate(
            s.model, (_speed(s), s.mean(metric)), xytext=(4, 3 if i % 2 else -9),
            textcoords="offset points", fontsize=7, color=_INK,
        )  # fmt: skip
    axes.set_xscale("log")
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
    axes.legend(frameon=False, fontsize=8, labelcolor=_INK)


def _speed(s: Standing) -> float:
    return float(s.cost("examples_per_second") or 0.0)
