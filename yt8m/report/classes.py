"""The classes of a run: AP against frequency, and the best and the worst of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yt8m.evaluation.per_class_ap import PerClassAp
from yt8m.report.axes import linear, logarithmic
from yt8m.report.charts import Series, chart
from yt8m.report.markup import Markup, join, tag
from yt8m.report.tables import Column, folded, table

_SHOWN = 15  # best classes, and as many of the worst
_ENOUGH = 10  # positives of a class whose AP means something
_MOST = 4000  # rows of the table, and points of the chart
_TITLE = "AP against class frequency"
_FREQUENCY = "positives among the evaluated videos"


def seen(ap: PerClassAp) -> list[int]:
    """Return the classes with positives, the most frequent first."""
    order = np.argsort(-ap.positives, kind="stable")
    return [int(c) for c in order if ap.positives[c] > 0]


def frequency_chart(ap: PerClassAp, names: Sequence[str]) -> Markup:
    """Return a dot for each class with positives, and the mean AP of classes of like frequency."""
    classes = seen(ap)
    shown = classes[:: -(-len(classes) // _MOST) or 1]
    points = [(float(ap.positives[c]), float(ap.ap[c])) for c in shown]
    tips = [f"{names[c]}: AP {ap.ap[c]:.3f}, {ap.positives[c]:,} positives" for c in shown]
    means = mean_by_frequency(ap)
    return chart(
        _TITLE,
        _about(means),
        logarithmic(_FREQUENCY, (p[0] for p in points)),
        linear("AP", [0.0, 1.0]),
        [
            Series("a class", points, color=1, tips=tips, line=False, dots=True, faint=True),
            Series("mean", [m[:2] for m in means]),
        ],
        numbers=_means_table(means),
    )


def compared_frequency_chart(aps: Sequence[tuple[str, PerClassAp]]) -> Markup:
    """Return the mean AP of classes of like frequency for several runs."""
    series, about = [], []
    for i, (title, ap) in enumerate(aps):
        means = mean_by_frequency(ap)
        series.append(Series(title, [m[:2] for m in means], color=i))
        about.append(f"{title}: {_about(means)}")
    return chart(
        _TITLE,
        " ".join(about),
        logarithmic(_FREQUENCY, (p[0] for one in series for p in one.points)),
        linear("mean AP", [0.0, 1.0]),
        series,
    )


def mean_by_frequency(ap: PerClassAp) -> list[tuple[float, float, int]]:
    """Return (mean positives, mean AP, classes) of the classes within each factor of two."""
    positives, values = ap.positives[ap.positives > 0], ap.ap[ap.positives > 0]
    group = np.floor(np.log2(positives)).astype(int)
    return [
        (float(positives[group == g].mean()), float(values[group == g].mean()), int(n))
        for g, n in zip(*np.unique(group, return_counts=True))
    ]


def best_and_worst(ap: PerClassAp, names: Sequence[str]) -> Markup:
    """Return the tables of the best and the worst classes, and of all of them, folded."""
    classes = seen(ap)
    often = [c for c in classes if ap.positives[c] >= _ENOUGH]
    enough = _ENOUGH if len(often) >= 2 * _SHOWN else 1
    ranked = sorted(often if enough > 1 else classes, key=lambda c: -ap.ap[c])
    count = min(_SHOWN, -(-len(ranked) // 2))
    of = f"of the classes with at least {enough} positives" if enough > 1 else "of all classes"
    worst = ranked[len(ranked) - count :][::-1] if len(ranked) > count else []
    tables = [_table(f"The best {of}", ranked[:count], ap, names)]
    if worst:
        tables.append(_table(f"The worst {of}", worst, ap, names))
    shown = classes[:_MOST]
    title = f"All {len(classes):,} classes with positives"
    if len(classes) > _MOST:
        title = f"The {_MOST:,} most frequent classes"
    return join(tag("div", *tables, class_="pair"), folded(title, _table(title, shown, ap, names)))


def class_differences(aps: Sequence[tuple[str, PerClassAp]], names: Sequence[str]) -> Markup:
    """Return the classes whose AP differs most between runs with the same classes."""
    positives = aps[0][1].positives
    values = np.stack([ap.ap for _, ap in aps])  # [R, K]
    often = np.flatnonzero(positives >= _ENOUGH)
    if not len(often):
        often = np.flatnonzero(positives > 0)
    spread = values.max(axis=0) - values.min(axis=0)
    chosen = often[np.argsort(-spread[often], kind="stable")][: 2 * _SHOWN]
    columns = [Column("Class"), Column("Positives", ",d"), *(Column(t, ".3f") for t, _ in aps)]
    columns.append(Column("Difference", ".3f"))
    rows = [[names[c], positives[c], *values[:, c].tolist(), spread[c]] for c in chosen]
    best = [(i, 2 + int(values[:, c].argmax())) for i, c in enumerate(chosen)]
    return table("The classes whose AP differs most between the runs", columns, rows, best)


def _table(caption: str, classes: Sequence[int], ap: PerClassAp, names: Sequence[str]) -> Markup:
    columns = [Column("Class"), Column("Positives", ",d"), Column("AP", ".3f")]
    return table(caption, columns, [[names[c], ap.positives[c], ap.ap[c]] for c in classes])


def _means_table(means: Sequence[tuple[float, float, int]]) -> Markup:
    columns = [
        Column("Positives (mean)", ",.1f"),
        Column("Mean AP", ".3f"),
        Column("Classes", ",d"),
    ]
    return table("Mean AP by frequency", columns, means)


def _about(means: Sequence[tuple[float, float, int]]) -> str:
    rare, frequent = means[0], means[-1]
    return (
        f"The mean AP is {rare[1]:.3f} for the {rare[2]:,} rarest classes (about {rare[0]:,.0f}"
        f" positives), and {frequent[1]:.3f} for the {frequent[2]:,} most frequent"
        f" ({frequent[0]:,.0f})."
    )
