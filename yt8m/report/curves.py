"""The charts of a training: GAP and loss by step, and the iterations of the alternating trainer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yt8m.largescale.curves import Curve
from yt8m.report.axes import linear
from yt8m.report.charts import Mark, Series, chart
from yt8m.report.markup import Markup
from yt8m.report.read import Learning, ReportedRun
from yt8m.report.tables import Column, table

_MOST = 200  # points of a line
_STEPS = "validations; step 1: joint, 2: mixture, 3: aggregator"
_METRICS = (("gap", "GAP"), ("map", "MAP"), ("perr", "PERR"), ("hit_at_1", "Hit@1"))

Points = list[tuple[float, float]]


def gap_chart(learning: Learning, of: str = "") -> Markup | None:
    """Return the GAP of training batches and validations by step, or None if none was logged.

    Args:
      learning: what was logged.
      of: is added to the title.
    """
    train, validation = _points(learning.train, "gap"), _points(learning.validation, "gap")
    if not train and not validation:
        return None
    best = learning.best()
    marks, about = [], "There was no validation."
    if best:
        marks = [Mark(best["step"], best["gap"], f"best {best['gap']:.4f}")]
        about = (
            f"The validation GAP goes from {validation[0][1]:.4f} to {validation[-1][1]:.4f}; it is"
            f" highest, {best['gap']:.4f}, at step {best['step']:,}, in epoch {best['epoch']}."
        )
    numbers = _validations(learning.validation) if validation else None
    series = _train_and_validation(train, validation, "training (last batch)")
    return _by_step(f"GAP while training{of}", about, "GAP", series, marks, numbers)


def loss_chart(learning: Learning, of: str = "") -> Markup | None:
    """Return the loss of training and validations by step, or None if none was logged.

    Args:
      learning: what was logged.
      of: is added to the title.
    """
    train, validation = _points(learning.train, "loss"), _points(learning.validation, "loss")
    if not train and not validation:
        return None
    about = "".join(
        f"The {name} loss goes from {points[0][1]:.4g} to {points[-1][1]:.4g}. "
        for name, points in (("training", train), ("validation", validation))
        if points
    )
    series = _train_and_validation(train, validation, "training")
    columns = [Column("Step", ",.0f"), Column("Loss", ".4g")]
    numbers = table("Training loss by step", columns, train[:: max(1, len(train) // 20)])
    return _by_step(f"Loss while training{of}", about.strip(), "Loss", series, (), numbers)


def compared_gap_chart(runs: Sequence[ReportedRun]) -> Markup | None:
    """Return the validation GAP of several runs by examples seen, or None if none was validated."""
    series, rows, marks = [], [], []
    for i, run in enumerate(runs):
        batch = run.config.recipe.batch_size
        points = [(step * batch, gap) for step, gap in _points(run.learning.validation, "gap")]
        if points:
            series.append(Series(run.title, points, color=i))
            best = max(points, key=lambda p: p[1])
            rows.append([run.title, len(points), best[1], best[0]])
            marks.append(Mark(*best, tip=f"{run.title}: best {best[1]:.4f}"))
    if not series:
        return None
    columns = [
        Column("Run"), Column("Validations", ",d"), Column("Best GAP", ".4f"),
        Column("after examples", ",.0f"),
    ]  # fmt: skip
    about = "; ".join(f"{row[0]} reaches {row[2]:.4f} after {row[3]:,.0f} examples" for row in rows)
    points = [p for one in series for p in one.points]
    return chart(
        "Validation GAP while training",
        f"{about}.",
        linear("examples seen", [0.0, *(p[0] for p in points)]),
        linear("GAP", (p[1] for p in points)),
        series,
        marks,
        numbers=table("Best validations", columns, rows),
    )


def iteration_chart(curve: Curve) -> Markup:
    """Return the GAP of an alternating run by iteration, with the boundaries of its steps."""
    points = [(float(i), p.gap) for i, p in enumerate(curve.points, 1)]
    tips = [f"{p.name}, iteration {p.iteration}: GAP {p.gap:.4f}" for p in curve.points]
    rules = [(i + 0.5, f"{curve.points[i].number}") for i, _ in curve.boundaries()]
    best = max(range(len(points)), key=lambda i: points[i][1])
    about = (
        f"{len(points)} validations in {len(rules)} steps; the highest GAP, {points[best][1]:.4f},"
        f" is that of {curve.points[best].name}, iteration {curve.points[best].iteration}."
    )
    columns = [
        Column("Validation", "d"), Column("Step"), Column("Iteration", "d"),
        Column("Seconds", ",.0f"), Column("GAP", ".4f"), Column("MAP", ".4f"),
    ]  # fmt: skip
    rows = [
        [i, p.name, p.iteration, p.seconds, p.gap, p.map] for i, p in enumerate(curve.points, 1)
    ]
    return chart(
        "GAP over the iterations of the alternating trainer",
        about,
        linear(_STEPS, [0.5, len(points) + 0.5], low=0),
        linear("GAP", (p[1] for p in points)),
        [Series("validation", points, tips=tips)],
        [Mark(*points[best], f"best {points[best][1]:.4f}")],
        rules,
        table("Validations", columns, rows),
    )


def _train_and_validation(train: Points, validation: Points, name: str) -> list[Series]:
    both = [
        Series(name, _thinned(train), color=1, faint=True, dots=False),
        Series("validation", validation),
    ]
    return [series for series in both if series.points]


def _by_step(
    title: str,
    about: str,
    what: str,
    series: Sequence[Series],
    marks: Sequence[Mark],
    numbers: Markup | None,
) -> Markup:
    points = [p for one in series for p in one.points]
    x, y = linear("step", [0.0, *(p[0] for p in points)]), linear(what, (p[1] for p in points))
    return chart(title, about, x, y, series, marks, numbers=numbers)


def _points(events: Sequence[dict[str, Any]], key: str) -> Points:
    return [(float(e["step"]), float(e[key])) for e in events if e.get(key) is not None]


def _thinned(points: Points) -> Points:
    """Return at most `_MOST` points, each the mean of several."""
    if len(points) <= _MOST:
        return points
    size = -(-len(points) // _MOST)
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(x for x, _ in p) / len(p), sum(y for _, y in p) / len(p)) for p in parts]


def _validations(events: Sequence[dict[str, Any]]) -> Markup:
    known = [(key, name) for key, name in _METRICS if any(key in e for e in events)]
    columns = [Column("Step", ",d"), Column("Epoch", "d"), *(Column(n, ".4f") for _, n in known)]
    columns.append(Column("Loss", ".4g"))
    rows = [
        [e["step"], e["epoch"], *(e.get(key) for key, _ in known), e.get("loss")] for e in events
    ]
    return table("Validations", columns, rows)
