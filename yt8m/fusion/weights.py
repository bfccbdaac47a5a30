"""How much each model counts for each class: equation 8 of the UTS paper, in all its readings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

METHODS = ("average", "weighted", "l1", "l2", "l3", "power")
AP_METHODS = ("l1", "l2", "l3", "power")


def fusion_weights(
    method: str,
    covered: np.ndarray,
    ap: np.ndarray | None = None,
    given: Sequence[float] | None = None,
    power: float = 2.0,
) -> np.ndarray:
    """Return W [M, K]: the fused score of class c is the sum over models i of W[i, c] p[i, c].

    Source: UTS paper (2017), section 2.4, eq. 8: W[:, c] = norm(ap[:, c]).

    - "average": the mean over the models that cover the class.
    - "weighted": the `given` weights, divided by their sum over the models that cover the class.
    - "l1", "l2", "l3": ap / ||ap||_p over the models, as the paper literally says. They differ by a
      factor a class only, sum_i W[i, c] in [1, M^(1 - 1/p)]; to bring the sums to 1 would make all
      three equal, so it is not done.
    - "power": ap^power / sum of ap^power, another reading, which favours the best model of a class.

    Where all APs of a class are 0, all are taken as 1. A class that no model covers has weights 0.

    Args:
      method: one of `METHODS`.
      covered: bool [M, K], the classes that each model knows.
      ap: float [M, K] of the validation set, for the last four methods.
      given: [M], for "weighted"; not negative.
      power: exponent of "power".

    Raises:
      ValueError: unknown method, or what it needs is missing or has another shape.
    """
    covered = np.asarray(covered, bool)  # [M, K]
    if method == "average":
        return _shares(covered.astype(np.float64))
    if method == "weighted":
        if given is None or len(given) != len(covered) or min(given) < 0 or sum(given) <= 0:
            raise ValueError(
                f"{len(covered)} weights, not negative and not all 0, were expected, not {given}"
            )
        return _shares(covered * np.asarray(given, np.float64)[:, np.newaxis])
    if method not in AP_METHODS:
        raise ValueError(f"method is one of {METHODS}, not {method!r}")
    if ap is None or np.shape(ap) != covered.shape:
        raise ValueError(
            f"APs of shape {covered.shape} were expected, not {None if ap is None else np.shape(ap)}"
        )
    ap = np.where(covered, np.asarray(ap, np.float64), 0.0)  # [M, K]
    ap = np.where(ap.any(axis=0), ap, covered)
    if method == "power":
        best = ap.max(axis=0)  # against underflow at high powers
        return _shares((ap / np.where(best > 0, best, 1.0)) ** power * (ap > 0))
    p = int(method[1])
    norm = np.sum(ap**p, axis=0) ** (1.0 / p)  # [K]
    return ap / np.where(norm > 0, norm, 1.0)


def _shares(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=0)
    return weights / np.where(total > 0, total, 1.0)
