"""The UTS paper's two figures about labels, drawn with matplotlib (the extra `[figures]`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.analysis.statistics import conditional
from yt8m.errors import UserError

_INK, _FIRST, _SECOND, _NONE = "#222222", "#1f5a99", "#d1752a", "#b0302f"
_BANDS = ("#cfdcec", "#eaf0f7", "#f6efe6")  # [0, 50), [0, 1000), [3000, K)
_DPI = 150
_BAR: dict[str, Any] = {"shrink": 0.6, "aspect": 35, "pad": 0.01}  # colour bars


def require_matplotlib() -> None:
    """Check that figures can be drawn, before any work.

    Raises:
      UserError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UserError(
            "the figures need matplotlib, which is not installed: run `pip install"
            " 'yt8m[figures]'`, or write only the numbers and the report with --nofigures."
        ) from None


def positives_figure(sets: list[dict[str, Any]], names: Sequence[str] | None, kind: str) -> bytes:
    """Return Fig. 1: positives of each class by index, with the shares of label ranges.

    Source: docs/sources.md#label-figures.

    Args:
      sets: one or two results of `statistics.describe`, each with "title".
      names: names of the classes, or None.
      kind: "png" or "svg".

    Returns:
      The content of the image file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.2), layout="constrained")
    axes = figure.add_subplot()
    first, num_classes = sets[0], sets[0]["num_classes"]
    size = float(np.clip(6000 / num_classes, 2, 40))
    _shade_ranges(axes, first["label_ranges"])
    for described, colour in reversed(list(zip(sets, (_FIRST, _SECOND)))):
        _scatter_positives(axes, described, colour, size)
    _mark_empty_classes(axes, first, size)
    highest = max(max(s["positives"]) for s in sets)
    _label_axes(axes, num_classes, highest)
    _name_the_largest(axes, first, names)
    axes.text(
        0.99, 0.98, _shares_text(first), transform=axes.transAxes,
        ha="right", va="top", ma="left", family="monospace", fontsize=9, zorder=5,
        bbox={"facecolor": "white", "edgecolor": "#cccccc", "boxstyle": "round,pad=0.5"},
    )  # fmt: skip
    handles, texts = axes.get_legend_handles_labels()
    # The second set is drawn first, so that the first is on top; the legend has the usual order.
    order = sorted(range(len(texts)), key=lambda i: not texts[i].startswith(f"{first['title']}:"))
    figure.legend(
        [handles[i] for i in order], [texts[i] for i in order], loc="outside lower left", ncols=3,
        fontsize=9, frameon=False, markerscale=3.0 if size < 10 else 1.0, handletextpad=0.3,
    )  # fmt: skip
    return _save(figure, kind)


def _shade_ranges(axes: Any, ranges: list[dict[str, Any]]) -> None:
    head, most, tail = ((r["first"], r["end"]) for r in ranges)
    for (first, end), colour in zip((head, (head[1], most[1]), tail), _BANDS):
        axes.axvspan(first - 0.5, end - 0.5, color=colour, lw=0, zorder=0)


def _scatter_positives(axes: Any, described: dict[str, Any], colour: str, size: float) -> None:
    values = np.asarray(described["positives"], float)
    classes = np.flatnonzero(values)
    videos, labels = described["videos"], described["label_instances"]
    axes.scatter(
        classes, values[classes], s=size, color=colour, lw=0, alpha=0.8, zorder=3, rasterized=True,
        label=f"{described['title']}: {videos:,} videos, {labels:,} labels",
    )  # fmt: skip


def _mark_empty_classes(axes: Any, described: dict[str, Any], size: float) -> None:
    empty = np.flatnonzero(np.asarray(described["positives"]) == 0)
    if len(empty):
        axes.scatter(
            empty, np.full(len(empty), 0.65), s=30 if size < 10 else size, marker="|", color=_NONE,
            lw=0.5, rasterized=True,
            label=f"without positives in {described['title']}: {len(empty):,} classes",
        )  # fmt: skip


def _label_axes(axes: Any, num_classes: int, highest: int) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.set_yscale("log")
    # The space above the points is for the table of shares.
    axes.set_ylim(0.5, 0.5 * (2 * highest) ** (1 / 0.78))
    axes.set_xlim(-0.012 * num_classes, 1.005 * num_classes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else ""))
    axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.set_xlabel("class index (the vocabulary's order)")
    axes.set_ylabel("positives of the class (log scale)")
    axes.set_title("Positives per class", loc="left", fontweight="bold", color=_INK)
    axes.grid(axis="y", color="#cccccc", lw=0.5, zorder=1)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _shares_text(described: dict[str, Any]) -> str:
    lines = [
        f"shares of {described['title']}",
        f"{'label range':<16}{'labels':>8}{'videos with one':>18}",
    ]
    for r in described["label_ranges"]:
        span = f"[{r['first']:,}, {r['end']:,})"
        lines.append(f"{span:<16}{r['instance_share']:>8.1%}{r['video_share']:>18.1%}")
    return "\n".join(lines)


def _name_the_largest(axes: Any, described: dict[str, Any], names: Sequence[str] | None) -> None:
    """Name the six most frequent classes.

    In a vocabulary sorted by frequency these are crowded at the left, so their names are set in a
    column. Otherwise each name is set beside its point.
    """
    values, most = described["positives"], described["most_frequent"][:6]
    texts = {c: f"{_named(c, names) if names else f'class {c}'}: {values[c]:,}" for c in most}
    if max(most) < 0.1 * described["num_classes"]:
        _name_in_a_column(axes, described, texts)
    else:
        _name_at_the_points(axes, described, texts)


def _name_in_a_column(axes: Any, described: dict[str, Any], texts: dict[int, str]) -> None:
    bottom, top = np.log10(axes.get_ylim())
    line = {
        "arrowstyle": "-", "color": "#999999", "lw": 0.5, "shrinkA": 2, "shrinkB": 1,
        "relpos": (0.0, 0.5),
    }  # fmt: skip
    for i, (c, text) in enumerate(texts.items()):
        height = 10 ** (top - (top - bottom) * (0.03 + 0.042 * i))
        axes.annotate(
            text, (c, described["positives"][c]), (0.1 * described["num_classes"], height),
            fontsize=8, color=_INK, va="center", zorder=4, arrowprops=line,
        )  # fmt: skip


def _name_at_the_points(axes: Any, described: dict[str, Any], texts: dict[int, str]) -> None:
    values, num_classes = described["positives"], described["num_classes"]
    bottom, top = np.log10(axes.get_ylim())
    named: list[tuple[float, float]] = []
    for c, text in texts.items():
        x, y = c / num_classes, np.log10(values[c]) / (top - bottom)
        if any(abs(x - a) <= 0.15 and abs(y - b) <= 0.04 for a, b in named):
            continue  # it would overlap another name
        named.append((x, y))
        # A name at the right edge is written to the left of its point.
        shift, side = ((-6, 4), "right") if x > 0.85 else ((6, 4), "left")
        axes.annotate(
            text, (c, values[c]), shift, textcoords="offset points", fontsize=8, color=_INK,
            ha=side, zorder=4,
        )  # fmt: skip


def cooccurrence_figure(
    found: dict[str, Any], titles: Sequence[str], names: Sequence[str] | None, kind: str
) -> bytes:
    """Return Fig. 2: the co-occurrence of the most frequent classes.

    Source: docs/sources.md#label-figures.

    Each set has a column, with the counts at the top and P(j | i) below.

    Args:
      found: the result of `statistics.cooccurrences`.
      titles: title of each set.
      names: names of the classes, or None.
      kind: "png" or "svg".

    Returns:
      The content of the image file.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    counts = [np.asarray(c) for c in found["counts"]]
    labels = [_named(c, names) for c in found["classes"]]
    figure = Figure(figsize=(1.9 + 6.2 * len(counts), 15.5), layout="constrained")
    panels = figure.subplots(2, len(counts), squeeze=False, sharex=True, sharey=True)
    for (above, below), matrix, title in zip(panels.T, counts, titles):
        scale = LogNorm(1, max(int(matrix.max()), 2))
        image = _matrix(above, matrix, f"{title}: counts", labels, norm=scale)
        bar = figure.colorbar(image, ax=above, location="top", **_BAR)
        bar.set_label("videos with both classes (log scale)", fontsize=9)
        bar.ax.tick_params(labelsize=8)
        bar.ax.xaxis.set_major_formatter(FuncFormatter(_thousands))
        shares = conditional(matrix)
        image = _matrix(below, shares, f"{title}: P(column | row)", labels, vmin=0.0, vmax=1.0)
        bar = figure.colorbar(image, ax=below, location="bottom", **_BAR)
        bar.set_label("P(column | row)", fontsize=9)
        bar.ax.tick_params(labelsize=8)
    about = (
        f"Co-occurrence of the {len(labels)} most frequent classes of {titles[0]}; white: never"
        " together"
    )
    if len(counts) == 2:
        about += (
            "\ncorrelation between the two sets, off the diagonal:"
            f" log counts r = {found['correlation_of_log_counts']:.3f},"
            f" P(column | row) r = {found['correlation_of_conditional']:.3f}"
        )
    figure.suptitle(about, fontsize=12, x=0.01, ha="left", color=_INK)
    return _save(figure, kind)


def _matrix(axes: Any, matrix: np.ndarray, title: str, labels: list[str], **scale: Any) -> Any:
    """Draw one matrix, and return its image."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    # None of the shades is white, which stands for "never".
    shades = ListedColormap(matplotlib.colormaps["YlGnBu"](np.linspace(0.18, 1.0, 256)))
    shown = np.ma.masked_equal(matrix, 0)
    image = axes.imshow(shown, cmap=shades, interpolation="nearest", **scale)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.tick_params(length=2, color="#999999")
    return image


def _named(c: int, names: Sequence[str] | None, most: int = 24) -> str:
    """Return a class's name, cut to `most` characters, and its index; without names the index."""
    if names is None or c >= len(names):
        return str(c)
    name = names[c].replace("$", r"\$")  # matplotlib would read it as a formula
    return f"{name if len(name) <= most else name[: most - 1] + '…'} ({c})"


def _thousands(value: float, _: object) -> str:
    return f"{value:,.0f}"


def _save(figure: Any, kind: str) -> bytes:
    import matplotlib

    out = io.BytesIO()
    # A fixed salt and no date give equal files for equal data.
    with matplotlib.rc_context({"svg.hashsalt": "yt8m"}):
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(out, format=kind, dpi=_DPI, metadata=metadata, facecolor="white")
    return out.getvalue()
