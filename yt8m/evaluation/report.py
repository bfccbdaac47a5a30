"""An evaluation's result for people (a table) and for programs (metrics.json and the per-class AP file)."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.metrics.per_class_ap import write_per_class_ap

_ROWS = (
    ("gap", "GAP@{k}"),
    ("map", "MAP@{k}"),
    ("perr", "PERR"),
    ("hit_at_1", "Hit@1"),
    ("hit_at_5", "Hit@5"),
    ("loss", "loss"),
)
PER_CLASS_AP = "per_class_ap.json"


def table(result: dict[str, Any], top_k: int) -> str:
    """Return the result as lines, fractions beside percent."""
    lines = []
    for key, name in _ROWS:
        percent = "" if key == "loss" else f"  {100 * result[key]:6.2f} %"
        lines.append(f"{name.format(k=top_k):<8} {result[key]:.6f}{percent}")
    if "segment_map" in result:
        lines += segment_lines(result)
    lines.append(
        f"over {result['num_examples']:,} examples, {result['num_classes_with_positives']:,} classes with positives"
    )
    return "\n".join(lines)


def segment_lines(result: dict[str, Any]) -> list[str]:
    """Return the segment MAP under both definitions, of `segment_scores.both_means`."""
    found, every = result["segment_map"], result["segment_map_all_classes"]
    return [
        f"segment MAP {found:.6f}  {100 * found:6.2f} %  mean over {result['num_segment_map_classes']:,} classes ranked at all",
        f"segment MAP {every:.6f}  {100 * every:6.2f} %  mean over every class with a positive rating",
    ]


def write(folder: str, metrics: EvaluationMetrics, about: dict[str, Any]) -> dict[str, Any]:
    """Write `metrics.json` and `per_class_ap.json` into `folder`; return the result with `about` in it.

    Raises:
      OSError or tf.errors.OpError: the folder cannot be written.
    """
    result = {**metrics.result(), **about}
    tf.io.gfile.makedirs(folder)
    path = os.path.join(folder, "metrics.json")
    with tf.io.gfile.GFile(path + ".tmp", "w") as f:
        f.write(json.dumps(result, indent=1, default=float) + "\n")
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)
    ap, positives = metrics.per_class_ap()
    write_per_class_ap(os.path.join(folder, PER_CLASS_AP), np.asarray(ap), np.asarray(positives))
    return result
