"""The UTS paper's two figures of a data set's labels, drawn with matplotlib (the extra `[figures]`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from yt8m.analysis.statistics import conditional
from yt8m.errors import UserError

_INK, _FIRST, _SECOND, _NONE = "#222222", "#1f5a99", "#d1752a", "#b0302f"
_BANDS = ("#cfdcec", "#eaf0f7", "#f6efe6")  # [0, 50), [0, 1000), [3000, K)
_DPI = 150


def require_matplotlib() -> None:
    """See that figures can be drawn, before any work is done.

    Raises:
      UserError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UserError(
            "the figures need matplotlib, which is not installed: `pip install 'yt8m[figures]'` (or matplotlib alone)"
            " brings it; --nofigures writes the numbers and the report without them."
        )


def _named(c: int, names: Sequence[str] | None, most: int = 24) -> str:
    """Return a class's name and index, or its index alone; long names are cut."""
    if names is None or c >= len(names):
        return str(c)
    name = names[c].replace("$", r"\$")  # matplotlib would read formulas
    return f"{name if len(name) <= most else name[: most - 1] + '…'} ({c})"


def _save(figure: Any, kind: str) -> bytes:
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "yt8m"}):  # equal data, equal bytes
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(out, format=kind, dpi=_DPI, metadata=metadata, facecolor="white")
    return out.getvalue()


def positives_figure(sets: list[dict[str, Any]], names: Sequence[str] | None, kind: str) -> bytes:
    """Draw Fig. 1: positives of each class against its index, with the shares of label ranges (spec C.17).

    Args:
      sets: one or two of `statistics.describe`, each with "title".
      names: of the classes, or None.
      kind: "png" or "svg".

    Returns:
      The image file's bytes.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(11, 6.2), layout="constrained")
    axes = figure.add_subplot()
    classes = sets[0]["num_classes"]
    highest = max(max(s["positives"]) for s in sets)
    head, most, tail = sets[0]["label_ranges"]
    bands = ((head["first"], head["end"]), (head["end"], most["end"]), (tail["first"], tail["end"]))
    for (first, end), colour in zip(bands, _BANDS):
        axes.axvspan(first - 0.5, end - 0.5, color=colour, lw=0, zorder=0)
    size = float(np.clip(6000 / classes, 2, 40))
    for s, colour in reversed(list(zip(sets, (_FIRST, _SECOND)))):
        values = np.asarray(s["positives"], float)
        there = np.flatnonzero(values)
        label = f"{s['title']}: {s['videos']:,} videos, {s['label_instances']:,} labels"
        axes.scatter(
            there,
            values[there],
            s=size,
            color=colour,
            lw=0,
            alpha=0.8,
            label=label,
            zorder=3,
            rasterized=True,
        )
    without = np.flatnonzero(np.asarray(sets[0]["positives"]) == 0)
    if len(without):
        label = f"without positives in {sets[0]['title']}: {len(without):,} classes"
        at = np.full(len(without), 0.65)
        axes.scatter(
            without,
            at,
            s=30 if size < 10 else size,
            marker="|",
            color=_NONE,
            lw=0.5,
            label=label,
            rasterized=True,
        )
    axes.set_yscale("log")
    axes.set_ylim(
        0.5, 0.5 * (2 * highest) ** (1 / 0.78)
    )  # room above the points for the table of shares
    axes.set_xlim(-0.012 * classes, 1.005 * classes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else ""))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    axes.set_xlabel("class index (the vocabulary's order)")
    axes.set_ylabel("positives of the class (log scale)")
    axes.set_title("Positives per class", loc="left", fontweight="bold", color=_INK)
    axes.grid(axis="y", color="#cccccc", lw=0.5, zorder=1)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _name_the_largest(axes, sets[0], names)
    lines = [
        f"shares of {sets[0]['title']}",
        f"{'label range':<16}{'labels':>8}{'videos with one':>18}",
    ]
    for r in sets[0]["label_ranges"]:
        span = f"[{r['first']:,}, {r['end']:,})"
        lines.append(f"{span:<16}{r['instance_share']:>8.1%}{r['video_share']:>18.1%}")
    axes.text(
        0.99, 0.98, "\n".join(lines), transform=axes.transAxes, ha="right", va="top", ma="left", family="monospace", fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "#cccccc", "boxstyle": "round,pad=0.5"}, zorder=5,
    )  # fmt: skip
    handles, texts = axes.get_legend_handles_labels()
    order = sorted(
        range(len(texts)), key=lambda i: texts[i].startswith(f"{sets[0]['title']}:"), reverse=True
    )
    figure.legend(
        [handles[i] for i in order], [texts[i] for i in order], loc="outside lower left", ncols=3, fontsize=9, frameon=False,
        markerscale=3.0 if size < 10 else 1.0, handletextpad=0.3,
    )  # fmt: skip
    return _save(figure, kind)


def _name_the_largest(axes: Any, described: dict[str, Any], names: Sequence[str] | None) -> None:
    """Name the six most frequent classes: in a column where they crowd at the left, as a sorted vocabulary has it, else each at its point."""
    values = described["positives"]
    most = described["most_frequent"][:6]
    bottom, top = np.log10(axes.get_ylim())
    crowded = max(most) < 0.1 * described["num_classes"]
    named: list[tuple] = []
    line = {
        "arrowstyle": "-",
        "color": "#999999",
        "lw": 0.5,
        "shrinkA": 2,
        "shrinkB": 1,
        "relpos": (0.0, 0.5),
    }
    for i, c in enumerate(most):
        text = f"{_named(c, names) if names else f'class {c}'}: {values[c]:,}"
        if crowded:
            place = (
                0.1 * described["num_classes"],
                10 ** (top - (top - bottom) * (0.03 + 0.042 * i)),
            )
            axes.annotate(
                text,
                (c, values[c]),
                place,
                fontsize=8,
                color=_INK,
                va="center",
                zorder=4,
                arrowprops=line,
            )
            continue
        at = c / described["num_classes"], np.log10(values[c]) / (top - bottom)
        if all(
            abs(at[0] - x) > 0.15 or abs(at[1] - y) > 0.04 for x, y in named
        ):  # else two names would lie on each other
            named.append(at)
            right = c > 0.85 * described["num_classes"]  # written towards the middle
            shift, side = ((-6, 4), "right") if right else ((6, 4), "left")
            axes.annotate(
                text,
                (c, values[c]),
                shift,
                textcoords="offset points",
                fontsize=8,
                color=_INK,
                ha=side,
                zorder=4,
            )


def cooccurrence_figure(
    found: dict[str, Any], titles: Sequence[str], names: Sequence[str] | None, kind: str
) -> bytes:
    """Draw Fig. 2: the most frequent classes' co-occurrence, a column a set: counts above, P(j | i) below (spec C.17).

    Args:
      found: of `statistics.cooccurrences`.
      titles: one a set.
      names: of the classes, or None.
      kind: "png" or "svg".

    Returns:
      The image file's bytes.
    """
    import matplotlib
    from matplotlib.colors import ListedColormap, LogNorm
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    classes, counts = found["classes"], [np.asarray(c) for c in found["counts"]]
    labels = [_named(c, names) for c in classes]
    figure = Figure(figsize=(1.9 + 6.2 * len(counts), 15.5), layout="constrained")
    shades = ListedColormap(
        matplotlib.colormaps["YlGnBu"](np.linspace(0.18, 1.0, 256))
    )  # none of it white, which is "never"
    panels = figure.subplots(2, len(counts), squeeze=False, sharex=True, sharey=True)
    kinds: list[Callable[[np.ndarray], np.ndarray]] = [lambda c: c, conditional]
    bars = ("videos with both classes (log scale)", "P(column | row)")
    correlations = ("correlation_of_log_counts", "correlation_of_conditional")
    for row, (of, bar_text) in enumerate(zip(kinds, bars)):
        for column, (matrix, title) in enumerate(zip((of(c) for c in counts), titles)):
            axes = panels[row][column]
            norm = (
                LogNorm(1, max(int(matrix.max()), 2)) if row == 0 else None
            )  # each set by its own size
            limits = {} if row == 0 else {"vmin": 0.0, "vmax": 1.0}
            shown = np.ma.masked_equal(matrix, 0)
            image = axes.imshow(shown, cmap=shades, norm=norm, interpolation="nearest", **limits)
            axes.set_title(
                f"{title}: {'counts' if row == 0 else 'P(column | row)'}",
                loc="left",
                fontsize=11,
                fontweight="bold",
            )
            axes.set_xticks(range(len(classes)), labels, rotation=90, fontsize=7)
            axes.set_yticks(range(len(classes)), labels, fontsize=7)
            axes.tick_params(length=2, color="#999999")
            bar = figure.colorbar(
                image, ax=axes, shrink=0.6, aspect=35, pad=0.01, location="bottom" if row else "top"
            )
            bar.set_label(bar_text, fontsize=9)
            bar.ax.tick_params(labelsize=8)
            if row == 0:
                bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    about = f"Co-occurrence of the {len(classes)} most frequent classes of {titles[0]}; white: never together"
    if len(counts) == 2:
        r = [found[key] for key in correlations]
        about += f"\ncorrelation between the two sets, off the diagonal: log counts r = {r[0]:.3f}, P(column | row) r = {r[1]:.3f}"
    figure.suptitle(about, fontsize=12, x=0.01, ha="left", color=_INK)
    return _save(figure, kind)
