"""The sections about one run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yt8m.report import classes, curves, predictions, summary
from yt8m.report.markup import Markup, join, tag
from yt8m.report.page import Section
from yt8m.report.read import ReportedRun


def sections(run: ReportedRun) -> Iterator[Section]:
    """Yield the sections of a page about one run."""
    notes = summary.notices(run)
    yield Section("Summary", join(summary.tiles(run), *notes, summary.summary(run)))
    learning = learning_curves(run)
    if learning:
        yield Section("Learning curves", learning)
    evaluation = run.evaluation
    if evaluation and evaluation.ap is not None and classes.seen(evaluation.ap):
        drawn = classes.frequency_chart(evaluation.ap, run.names)
        tables = classes.best_and_worst(evaluation.ap, run.names)
        yield Section("Classes", join(tag("div", drawn, class_="charts"), _unnamed(run), tables))
    if evaluation and evaluation.details:
        details = evaluation.details
        drawn = predictions.calibration_chart([("", details)])
        text = tag("p", predictions.calibration_text(details))
        yield Section("Calibration", join(text, tag("div", drawn, class_="charts")))
        yield Section("Mistakes", join(_WRONG, predictions.mistakes(details, run.names)))
        yield Section("Confusions", join(_CONFUSED, confusions(run, details)))


def confusions(run: ReportedRun, details: dict[str, Any]) -> Markup:
    """Return the table of a run's confusions."""
    ap = run.evaluation.ap if run.evaluation else None
    return predictions.confusions(details, run.names, ap.positives if ap else None)


def learning_curves(run: ReportedRun) -> Markup | None:
    """Return the charts of a run's training, or None if it logged nothing."""
    of = " (step 1)" if run.config.alternation else ""
    drawn = [curves.gap_chart(run.learning, of), curves.loss_chart(run.learning, of)]
    if run.alternation is not None:
        drawn.append(curves.iteration_chart(run.alternation))
    shown = [one for one in drawn if one is not None]
    return tag("div", *shown, class_="charts") if shown else None


_WRONG = tag(
    "p",
    "The videos with the most probable class that is not among their labels. Some of these mistakes"
    " are labels that are missing: those of YouTube-8M were made by programs.",
)
_CONFUSED = tag(
    "p",
    "Of a video with n labels the n best predictions count. Each label that is not among them is"
    " paired with each of them that is wrong. Where many videos have both labels, the classes"
    " belong together, and the model finds one of them.",
)


def _unnamed(run: ReportedRun) -> Markup | None:
    if run.vocabulary:
        return None
    text = (
        "Classes are shown by their numbers, because no vocabulary is beside the run's records;"
        " --vocabulary_file names one."
    )
    return tag("p", text, class_="quiet")
