"""The sections that compare several runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from yt8m.evaluation.per_class_ap import PerClassAp
from yt8m.report import classes, curves, predictions, summary
from yt8m.report.markup import Markup, join, tag
from yt8m.report.one import confusions, learning_curves
from yt8m.report.page import Section
from yt8m.report.read import ReportedRun
from yt8m.report.tables import Column, folded, table


def sections(runs: Sequence[ReportedRun]) -> Iterator[Section]:
    """Yield the sections of a page about several runs."""
    notes = [note for run in runs for note in summary.notices(run)]
    yield Section("Metrics", join(_data_note(runs), metrics_table(runs), *notes))
    drawn = curves.compared_gap_chart(runs)
    if drawn is not None:
        yield Section("Learning curves", tag("div", drawn, class_="charts"))
    aps = _comparable_aps(runs)
    if len(aps) > 1:
        chart = tag("div", classes.compared_frequency_chart(aps), class_="charts")
        yield Section("Classes", join(chart, classes.class_differences(aps, runs[0].names)))
    with_details = [
        (run.title, run.evaluation.details)
        for run in runs
        if run.evaluation and run.evaluation.details
    ]
    if with_details:
        chart = predictions.calibration_chart(with_details)
        yield Section("Calibration", tag("div", chart, class_="charts"))
    yield Section("Settings that differ", settings_table(runs))
    for run in runs:
        yield Section(run.title, _of(run))


def metrics_table(runs: Sequence[ReportedRun]) -> Markup:
    """Return the metrics of each run, with the best of each column marked."""
    found = [summary.metrics_of(run)[0] for run in runs]
    known = [(k, name) for k, name in summary.METRICS if any(k in m for m in found)]
    columns = [Column("Run"), Column("Model")]
    columns += [Column(name, ".4g" if k == "loss" else ".4f") for k, name in known]
    columns += [Column("Videos", ",d"), Column("Trained for (s)", ",.0f")]
    rows = [
        [
            run.title,
            run.config.model.name,
            *(m.get(k) for k, _ in known),
            m.get("num_examples"),
            run.seconds() or None,
        ]
        for run, m in zip(runs, found)
    ]
    best = []
    for i, (key, _) in enumerate(known):
        values = [m[key] for m in found if m.get(key) is not None]
        top = (min if key == "loss" else max)(values)
        best += [(row, i + 2) for row, m in enumerate(found) if m.get(key) == top]
    return table("Metrics of the runs; the best of each column is bold", columns, rows, best)


def settings_table(runs: Sequence[ReportedRun]) -> Markup:
    """Return the settings in which the runs differ."""
    flat = [summary.flat(run) for run in runs]
    names = sorted({name for values in flat for name in values})
    rows = [
        [name, *(values.get(name, "–") for values in flat)]
        for name in names
        if len({values.get(name) for values in flat}) > 1
    ]
    if not rows:
        return tag("p", "All settings are the same.")
    return table("Settings", [Column("Setting"), *(Column(run.title) for run in runs)], rows)


def _data_note(runs: Sequence[ReportedRun]) -> Markup | None:
    """Return a warning if the metrics are not those of the same videos."""
    about = {
        (m.get("num_examples"), m.get("top_k", 20))
        for m in (summary.metrics_of(run)[0] for run in runs)
        if m
    }
    measured = {run.evaluation.metrics.get("data") for run in runs if run.evaluation}
    if len(about) <= 1 and len(measured) <= 1 and all(r.evaluation for r in runs):
        return None
    text = (
        "The metrics of these runs are perhaps not those of the same videos: compare them with"
        " care. eval.py evaluates a run on the records that --eval_data_pattern names."
    )
    return tag("p", text, class_="note")


def _comparable_aps(runs: Sequence[ReportedRun]) -> list[tuple[str, PerClassAp]]:
    """Return the APs of the runs that have as many classes as the first."""
    found = [(r.title, r.evaluation.ap) for r in runs if r.evaluation and r.evaluation.ap]
    return [(t, ap) for t, ap in found if len(ap.ap) == len(runs[0].names) and classes.seen(ap)]


def _of(run: ReportedRun) -> Markup:
    """Return one run's part of the page, mostly folded."""
    parts = [summary.tiles(run), summary.command(run.command)]
    learning = learning_curves(run)
    if learning:
        parts.append(folded("Learning curves", learning))
    evaluation = run.evaluation
    if evaluation and evaluation.details:
        details = evaluation.details
        parts.append(folded("Mistakes", predictions.mistakes(details, run.names)))
        parts.append(folded("Confusions", confusions(run, details)))
    parts.append(summary.settings(run))
    return join(*parts)
