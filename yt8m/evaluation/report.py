"""The result of an evaluation: a table for people; metrics.json and per-class AP for programs."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from yt8m.evaluation import extreme_classes
from yt8m.evaluation.per_class_ap import write_per_class_ap
from yt8m.files import write_json
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.runs.classes.names import ClassNames

_ROWS = (
    ("gap", "GAP@{k}"),
    ("map", "MAP@{k}"),
    ("perr", "PERR"),
    ("hit_at_1", "Hit@1"),
    ("hit_at_5", "Hit@5"),
    ("loss", "loss"),
)
METRICS, PER_CLASS_AP, DETAILS = "metrics.json", "per_class_ap.json", "details.json"


def table(result: dict[str, Any], top_k: int, names: ClassNames) -> str:
    """Return the result as lines of text; fractions are also shown as percentages."""
    lines = []
    for key, name in _ROWS:
        percent = "" if key == "loss" else f"  {100 * result[key]:6.2f} %"
        lines.append(f"{name.format(k=top_k):<8} {result[key]:.6f}{percent}")
    if "segment_map" in result:
        lines += segment_lines(result)
    others = ", and the others count as 0 in MAP" if result.get("map_classes") == "all" else ""
    lines.append(
        f"over {result['num_examples']:,} examples;"
        f" {result['num_classes_with_positives']:,} classes have positives{others}"
    )
    lines += extreme_classes.table(result, names)
    return "\n".join(lines)


def segment_lines(result: dict[str, Any]) -> list[str]:
    """Return a line for each definition of segment MAP in `segment_scores.both_means`."""
    ranked = result["num_segment_map_classes"]
    means = {
        "segment_map": f"mean over the {ranked:,} classes with a ranking",
        "segment_map_all_classes": "mean over all classes with a positive rating",
    }
    return [
        f"segment MAP {result[key]:.6f}  {100 * result[key]:6.2f} %  {text}"
        for key, text in means.items()
    ]


def write(
    folder: str,
    metrics: EvaluationMetrics,
    about: dict[str, Any],
    names: ClassNames,
    details: dict[str, Any],
) -> dict[str, Any]:
    """Write `metrics.json`, `per_class_ap.json` and `details.json`; return the metrics and `about`.

    Args:
      folder: where.
      metrics: all metrics.
      about: what was evaluated, and how.
      names: those of the classes.
      details: the result of `yt8m.evaluation.details.Details`.

    Raises:
      OSError: the folder cannot be written; a remote one raises `tf.errors.OpError`.
    """
    ap, positives = metrics.per_class_ap()
    extremes = extreme_classes.extreme_classes(ap, positives, names)
    result = {**metrics.result(), **about, **extremes}
    tf.io.gfile.makedirs(folder)
    write_json(os.path.join(folder, METRICS), result)
    path = os.path.join(folder, PER_CLASS_AP)
    write_per_class_ap(path, ap, positives, names.names if names.are_known else None)
    write_json(os.path.join(folder, DETAILS), details, indent=None)
    return result
