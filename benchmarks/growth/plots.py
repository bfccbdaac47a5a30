"""The figures of growth, drawn with matplotlib (the extra `[figures]`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.growth.curves import Curve
from benchmarks.growth.fit import fit
from benchmarks.growth.measure import points
from benchmarks.harness.store import Store

# File -> (value, what its axis shows).
FIGURES = {"time.svg": ("seconds", "seconds"), "memory.svg": ("peak_gb", "peak memory in GB")}
_COLUMNS = 4


def draw(folder: Path, curves: Sequence[Curve], store: Store) -> None:
    """Write a figure of time and one of memory, with a panel for each curve that has points.

    Args:
      folder: gets the files.
      curves: in the order of the panels.
      store: what was measured.
    """
    import matplotlib

    shown = [curve for curve in curves if points(store, curve.name, "seconds")]
    # Text stays text, and names do not change from one run to the next.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.size": 8}):
        for name, (value, label) in FIGURES.items() if shown else ():
            _figure(folder / name, shown, store, value, label)


def _figure(path: Path, curves: Sequence[Curve], store: Store, value: str, label: str) -> None:
    from matplotlib.figure import Figure

    rows = math.ceil(len(curves) / _COLUMNS)
    figure = Figure(figsize=(3 * _COLUMNS, 2.6 * rows), layout="constrained")
    for place, curve in enumerate(curves, 1):
        axes = figure.add_subplot(rows, _COLUMNS, place)
        found = points(store, curve.name, value)
        axes.loglog(list(found), list(found.values()), "o", markersize=4, color="tab:blue")
        law = fit(found)
        if law:
            upper = [law.first, max(found)]
            line = [law.factor * x**law.exponent for x in upper]
            axes.loglog(upper, line, color="tab:orange", label=f"exponent {law}")
            axes.legend(loc="upper left", frameon=False)
        axes.set_title(curve.name)
        axes.set_xlabel(curve.axis)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    part = path.with_name(f"{path.name}.part")
    figure.savefig(part, format="svg", metadata={"Date": None})
    # matplotlib leaves spaces at the ends of lines.
    path.write_text("\n".join(line.rstrip() for line in part.read_text().splitlines()) + "\n")
    part.unlink()
