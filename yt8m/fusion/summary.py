"""Tables about a fusion: the weight of each model, the gain by model and class, and a warning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.runs.classes.names import ClassNames

_SHOWN, _ENOUGH = 5, 10  # classes; positives of a class whose AP says something
_COLUMNS = {"gap": "GAP", "map": "MAP", "perr": "PERR", "hit_at_1": "Hit@1", "hit_at_5": "Hit@5"}


def shares_of_classes(weights: np.ndarray) -> np.ndarray:
    """Return the share of classes [M] in which each model has the largest weight.

    A class where several models share the largest weight is divided among them.

    Args:
      weights: [M, K].
    """
    best = weights.max(axis=0)
    known = best > 0  # [K]; a class that no model covers does not count
    most = (weights == best) & known  # [M, K]
    return (most / np.maximum(most.sum(axis=0), 1)).sum(axis=1) / max(int(known.sum()), 1)


def weights_table(names: Sequence[str], weights: np.ndarray) -> str:
    """Return one line per model: its mean weight, and its share of classes with the largest weight.

    Args:
      names: the names of the models [M].
      weights: [M, K].
    """
    rows = [
        [name, f"{weight:.4f}", f"{100 * share:.1f} %"]
        for name, weight, share in zip(names, weights.mean(axis=1), shares_of_classes(weights))
    ]
    return _table([["model", "mean weight", "largest in"], *rows])


def gains_table(names: Sequence[str], results: Sequence[dict[str, Any]], videos: str) -> str:
    """Return one line per input, one for the fusion, and one for its gain over the best input.

    Args:
      names: the names of the inputs [M].
      results: metrics of the inputs and, last, of the fusion [M + 1].
      videos: description of the videos.
    """
    head = [f"on {videos}", *_COLUMNS.values()]
    rows = [
        [name, *(f"{result[key]:.5f}" for key in _COLUMNS)]
        for name, result in zip([*names, "fused"], results)
    ]
    best = {key: max(result[key] for result in results[:-1]) for key in _COLUMNS}
    gain = [f"{results[-1][key] - best[key]:+.5f}" for key in _COLUMNS]
    return _table([head, *rows, ["gain over the best input", *gain]])


def best_input(results: Sequence[dict[str, Any]]) -> int:
    """Return the position of the input with the highest GAP.

    Args:
      results: metrics of the inputs and, last, of the fusion [M + 1].
    """
    return max(range(len(results) - 1), key=lambda i: float(results[i]["gap"]))


def loss_warning(
    names: Sequence[str], results: Sequence[dict[str, Any]], fitted_on_half: bool
) -> str:
    """Return a warning if the best input alone has a higher GAP than the fusion, or "".

    Args:
      names: the names of the inputs [M].
      results: metrics of the inputs and, last, of the fusion [M + 1].
      fitted_on_half: whether --fit_on_half was given, which is then not advised.
    """
    best, fused = best_input(results), results[-1]["gap"]
    missing = results[best]["gap"] - fused
    if missing <= 0:
        return ""
    fit = (
        ", or --method=l2 --fit_on_half, which takes the weights of each class from one half of"
        " these videos and computes the metrics on the other"
    )
    return (
        f"warning: the fusion's GAP is {missing:.5f} below that of {names[best]} alone. Leave out"
        " the weakest inputs, or weight them: --method=weighted --weights=..."
        f"{'' if fitted_on_half else fit}."
    )


def classes_table(
    names: ClassNames, before: np.ndarray, after: np.ndarray, positives: np.ndarray, best: str
) -> str:
    """Return a line for each class that gains or loses most by the fusion, or "".

    Args:
      names: those of the K classes.
      before: AP of the best input [K].
      after: AP of the fusion [K].
      positives: int [K]; classes with fewer than ten are left out, as their APs depend on luck.
      best: the name of the best input.
    """
    change = np.where(positives >= _ENOUGH, after - before, 0.0)
    order = np.argsort(-change, kind="stable")
    gaining = [c for c in order[:_SHOWN].tolist() if change[c] > 0]
    losing = [c for c in order[::-1][:_SHOWN].tolist() if change[c] < 0]
    rows = [
        [names.shown(c), f"{before[c]:.3f}", f"{after[c]:.3f}", f"{change[c]:+.3f}"]
        for c in gaining + losing[::-1]
    ]
    return _table([["class", f"AP of {best}", "fused", "gain"], *rows]) if rows else ""


def _table(rows: list[list[str]]) -> str:
    """Return rows as lines of text: the first column flush left, the others flush right."""
    first, *others = (max(map(len, column)) for column in zip(*rows))
    lines = (
        "  ".join([row[0].ljust(first), *(x.rjust(w) for x, w in zip(row[1:], others))])
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
