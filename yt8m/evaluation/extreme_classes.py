"""The classes that a model predicts best and worst, by name, for people to read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.runs.classes.names import ClassNames

_SHOWN = 5
_ENOUGH = 10  # positives: with fewer, the AP of a class depends on the luck of a few videos


def extreme_classes(
    ap: NDArray[Any], positives: NDArray[Any], names: ClassNames
) -> dict[str, list[dict[str, Any]]]:
    """Return "best_classes" and "worst_classes", each with its number, name, AP and positives.

    Only classes with at least ten positives count, or all with a positive if these are too few.

    Args:
      ap: float [K].
      positives: int [K].
      names: those of the K classes.
    """
    counted = np.flatnonzero(positives >= _ENOUGH)
    if len(counted) < 2 * _SHOWN:
        counted = np.flatnonzero(positives > 0)
    # Of equal APs, that over more positives is the more certain one.
    best_first = counted[np.lexsort((-positives[counted], -ap[counted]))]
    worst_first = counted[np.lexsort((-positives[counted], ap[counted]))]
    shown = min(_SHOWN, len(counted) // 2)
    worst_first = worst_first[~np.isin(worst_first, best_first[:shown])]  # of equal APs

    def rows(classes: NDArray[Any]) -> list[dict[str, Any]]:
        return [
            {"class": c, "name": names[c], "ap": float(ap[c]), "positives": int(positives[c])}
            for c in classes[:shown].tolist()
        ]

    return {"best_classes": rows(best_first), "worst_classes": rows(worst_first)}


def table(found: dict[str, list[dict[str, Any]]], names: ClassNames) -> list[str]:
    """Return what `extreme_classes` found as lines of text."""
    rows = {title: found[f"{title}_classes"] for title in ("best", "worst")}
    shown = {row["class"]: names.shown(row["class"]) for part in rows.values() for row in part}
    if not shown:
        return []
    width = max(map(len, shown.values()))
    return [
        f"{title if not i else '':<5}  {shown[row['class']]:<{width}}  AP {row['ap']:.3f}"
        f"  {row['positives']:,} positives"
        for title, part in rows.items()
        for i, row in enumerate(part)
    ]
