"""What a fusion prints: who counts how much, and what it brought."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def weights_table(names: Sequence[str], weights: np.ndarray) -> str:
    """Return a line a model: mean weight, and the share of classes in which it weighs most (ties are shared)."""
    best = weights.max(axis=0)
    known = best > 0  # [K]; classes that no model covers say nothing
    most = (weights == best) & known  # [M, K]
    shares = (most / np.maximum(most.sum(axis=0), 1)).sum(axis=1) / max(int(known.sum()), 1)
    rows = [
        [name, f"{w:.4f}", f"{100 * s:.1f} %"]
        for name, w, s in zip(names, weights.mean(axis=1), shares)
    ]
    return _table([["model", "mean weight", "largest in"], *rows])


def gains_table(names: Sequence[str], results: Sequence[dict[str, float]], videos: str) -> str:
    """Return a line an input and one for the fusion (the last of `results`), with the gain over the best input."""
    keys = ("gap", "map", "perr", "hit_at_1", "hit_at_5")
    head = [f"on {videos}", "GAP", "MAP", "PERR", "Hit@1", "Hit@5"]
    rows = [[name] + [f"{r[k]:.5f}" for k in keys] for name, r in zip([*names, "fused"], results)]
    gain = [f"{results[-1][k] - max(r[k] for r in results[:-1]):+.5f}" for k in keys]
    return _table([head, *rows, ["over the best input", *gain]])


def _table(rows: list[list[str]]) -> str:
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0])] + [x.rjust(w) for x, w in zip(row[1:], widths[1:])])
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
