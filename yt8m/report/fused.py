"""The section about a fusion: its gain, the weights of its inputs, and how alike they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from yt8m.errors import UserError
from yt8m.report.markup import Markup, join, tag
from yt8m.report.page import Section
from yt8m.report.read import read_object, titles
from yt8m.report.summary import METRICS
from yt8m.report.tables import Column, facts, table


@dataclasses.dataclass(frozen=True)
class ReportedFusion:
    """What `fusion.py --output_details` wrote; see `yt8m.fusion.details`."""

    path: str
    title: str
    details: dict[str, Any]


def read_fusion(path: str, title: str) -> ReportedFusion:
    """Return the details of a fusion.

    Raises:
      UserError: the file is not that of a fusion.
    """
    details = read_object(path) or {}
    if details.get("kind") != "fusion":
        raise UserError(
            f"--runs: {path} is neither a run's folder nor the details of a fusion; fusion.py"
            " --output_details=FILE.json writes those."
        )
    return ReportedFusion(path, title, details)


def section(fusion: ReportedFusion) -> Section:
    """Return the section about a fusion."""
    found = fusion.details
    names = titles(found["inputs"])
    about = [
        ("Method", found["method"]),
        ("Videos", f"{found['num_videos']:,}"),
        ("Classes", f"{found['num_classes']:,}"),
        *((f"Input {name}", path) for name, path in zip(names, found["inputs"]) if name != path),
    ]
    parts = [facts(about), _gain(found, names), _weights(found, names)]
    parts.append(_alike("Correlation of the scores (Pearson)", found["correlation"], names))
    parts.append(
        _alike("Share of the videos with the same best class", found["same_best_class"], names)
    )
    return Section(f"Fusion {fusion.title}", join(*parts))


def _gain(found: dict[str, Any], names: Sequence[str]) -> Markup:
    results = found.get("metrics")
    if results is None:
        text = "The fusion was given no labels, so its gain is not known; --labels names them."
        return tag("p", text, class_="note")
    keys = [(key, name) for key, name in METRICS if results[0].get(key) is not None]
    columns = [Column("Model"), *(Column(name, ".4f") for _, name in keys)]
    rows: list[list[object]] = [
        [name, *(one[key] for key, _ in keys)] for name, one in zip([*names, "fused"], results)
    ]
    gains = [results[-1][key] - max(one[key] for one in results[:-1]) for key, _ in keys]
    rows.append(["gain over the best input", *(f"{gain:+.4f}" for gain in gains)])
    count = results[0]["num_examples"]
    videos = f"half of the videos ({count:,})" if found["on_half"] else f"all {count:,} videos"
    text = f"On {videos} the fusion has a GAP of {results[-1]['gap']:.4f}:"
    notes = [tag("p", f"{text} {gains[0]:+.4f} against the best of its inputs.")]
    if gains[0] <= 0:
        warning = "The fusion is no better than the best of its inputs, which alone is the cheaper."
        notes.append(tag("p", warning, class_="note"))
    if found["fitted_on_the_same"]:
        warning = (
            "The weights were fitted on the videos that the metrics are computed on, so the gain is"
            " overestimated; --fit_on_half fits on one half and measures on the other."
        )
        notes.append(tag("p", warning, class_="note"))
    return join(*notes, table("Metrics of the inputs and of the fusion", columns, rows))


def _weights(found: dict[str, Any], names: Sequence[str]) -> Markup:
    columns = [Column("Input"), Column("Mean weight", ".4f"), Column("Largest in", ".1%"), _BAR]
    rows = [
        [name, mean, largest, tag("meter", f"{mean:.3f}", min=0, max=1, value=f"{mean:.4f}")]
        for name, mean, largest in zip(names, *map(found["weights"].get, ("mean", "largest")))
    ]
    return table("Weights: the mean over the classes, and the share of classes", columns, rows)


_BAR = Column("")


def _alike(caption: str, matrix: Sequence[Sequence[float]], names: Sequence[str]) -> Markup:
    columns = [Column("Input"), *(Column(name, ".3f") for name in names)]
    return table(caption, columns, [[name, *row] for name, row in zip(names, matrix)])
