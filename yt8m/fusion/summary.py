"""Tables about a fusion: the weight of each model, and the gain from fusing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_COLUMNS = {"gap": "GAP", "map": "MAP", "perr": "PERR", "hit_at_1": "Hit@1", "hit_at_5": "Hit@5"}


def weights_table(names: Sequence[str], weights: np.ndarray) -> str:
    """Return one line per model: its mean weight, and its share of classes with the largest weight.

    A class where several models share the largest weight is divided among them.

    Args:
      names: the names of the models [M].
      weights: [M, K].
    """
    best = weights.max(axis=0)
    known = best > 0  # [K]; a class that no model covers does not count
    most = (weights == best) & known  # [M, K]
    shares = (most / np.maximum(most.sum(axis=0), 1)).sum(axis=1) / max(int(known.sum()), 1)
    rows = [
        [name, f"{weight:.4f}", f"{100 * share:.1f} %"]
        for name, weight, share in zip(names, weights.mean(axis=1), shares)
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


def _table(rows: list[list[str]]) -> str:
    """Return rows as lines of text: the first column flush left, the others flush right."""
    first, *others = (max(map(len, column)) for column in zip(*rows))
    lines = (
        "  ".join([row[0].ljust(first), *(x.rjust(w) for x, w in zip(row[1:], others))])
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
