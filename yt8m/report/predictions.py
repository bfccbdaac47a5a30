"""What the predictions of a run are like: how reliable, which mistakes, and which confusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from yt8m.report.axes import linear
from yt8m.report.charts import Series, chart
from yt8m.report.markup import Markup, join, tag
from yt8m.report.tables import Column, folded, table

_MISTAKES, _CONFUSIONS = 25, 30  # rows that are shown at once

Details = dict[str, Any]


def calibration_chart(several: Sequence[tuple[str, Details]]) -> Markup:
    """Return how often predictions are true, by their probability, for one or several runs."""
    series = [Series("perfectly calibrated", [(0, 0), (1, 1)], color=5, faint=True, dots=False)]
    about, rows = [], []
    for i, (title, details) in enumerate(several):
        bins = _bins(details)
        tips = [
            f"{count:,} predictions of about {mean:.2f}: {share:.1%} true"
            for mean, share, count in bins
        ]
        points = [(mean, share) for mean, share, _ in bins]
        series.append(Series(title or "the run", points, color=i, tips=tips))
        about.append(f"{title}: {_miscalibration(bins)}" if title else _miscalibration(bins))
        rows += [[title or "the run", *one] for one in bins]
    columns = [
        Column("Run"), Column("Mean probability", ".3f"), Column("Share that is true", ".3f"),
        Column("Predictions", ",d"),
    ]  # fmt: skip
    return chart(
        "Reliability of the probabilities",
        " ".join(about),
        linear("predicted probability", [0.0, 1.0]),
        linear("share that is true", [0.0, 1.0]),
        series,
        numbers=table("Predictions by probability, in bins of 0.05", columns, rows),
    )


def calibration_text(details: Details) -> str:
    """Return a sentence about the calibration."""
    return _miscalibration(_bins(details))


def mistakes(details: Details, names: Sequence[str]) -> Markup:
    """Return the most confident wrong predictions."""
    rows = [
        [
            m["id"] or "–",
            names[m["class"]],
            m["score"],
            _labels(m["labels"], m["label_scores"], names),
        ]
        for m in details["mistakes"]
    ]
    if not rows:
        return tag("p", "No video has a wrong prediction.")
    columns = [
        Column("Video"), Column("Predicted"), Column("Probability", ".3f"),
        Column("Labels, with their probabilities"),
    ]  # fmt: skip
    shown = table("The most confident mistakes, one a video", columns, rows[:_MISTAKES])
    rest = rows[_MISTAKES:]
    more = folded(f"{len(rest)} more", table("More mistakes", columns, rest)) if rest else None
    return join(shown, more)


def confusions(
    details: Details, names: Sequence[str], positives: NDArray[Any] | None = None
) -> Markup:
    """Return the pairs of classes of which one is predicted in place of the other.

    Args:
      details: those of an evaluation.
      names: names of the K classes.
      positives: evaluated videos that have each class [K]; None if they are not known.
    """
    rows = [
        [
            names[true],
            names[predicted],
            count,
            count / positives[true] if positives is not None and positives[true] else None,
            together,
        ]
        for true, predicted, count, together in details["confusions"]
    ]
    if not rows:
        return tag("p", "No class is predicted in place of another.")
    columns = [
        Column("Label that was missed"), Column("Predicted in its place"), Column("Videos", ",d"),
        Column("Share of the label's", ".1%"), Column("Videos with both labels", ",d"),
    ]  # fmt: skip
    shown = table("The most frequent confusions", columns, rows[:_CONFUSIONS])
    rest = rows[_CONFUSIONS:]
    more = folded(f"{len(rest)} more", table("More confusions", columns, rest)) if rest else None
    return join(shown, more)


def _bins(details: Details) -> list[tuple[float, float, int]]:
    """Return (mean probability, share that is true, predictions) of each bin that is not empty."""
    found = details["calibration"]
    return [
        (mean, positives / count, count)
        for mean, positives, count in zip(found["mean"], found["positives"], found["count"])
        if count
    ]


def _miscalibration(bins: Sequence[tuple[float, float, int]]) -> str:
    above = [b for b in bins if b[0] >= 0.05]
    total = sum(count for _, _, count in above)
    if not total:
        return "No prediction is above 0.05."
    error = sum(abs(mean - share) * count for mean, share, count in above) / total
    over = sum((mean - share) * count for mean, share, count in above) / total
    word = "too high" if over > 0 else "too low"
    return (
        f"The {total:,} predictions above 0.05 are off by {error:.3f} on average; together they are"
        f" {word} by {abs(over):.3f}."
    )


def _labels(classes: Sequence[int], scores: Sequence[float], names: Sequence[str]) -> str:
    parts = [f"{names[c]} {score:.2f}" for c, score in zip(classes, scores)]
    return ", ".join(parts) or "none"
