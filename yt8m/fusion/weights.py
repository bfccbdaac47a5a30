"""Weights of each model for each class: equation 8 of the UTS paper, in all its interpretations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from yt8m.errors import UserError, one_of

Method = Literal["average", "weighted", "l1", "l2", "l3", "power"]
METHODS: tuple[str, ...] = get_args(Method)
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
    - "l1", "l2", "l3": ap / ||ap||_p over the models, as the paper says. They differ by a factor
      per class only, sum_i W[i, c] in [1, M^(1 - 1/p)]; dividing by that sum would make all three
      equal, so the sums stay as they are.
    - "power": ap^power / sum of ap^power, another interpretation, which favours the best model of a
    class.

    If all APs of a class are 0, all are taken as 1. A class that no model covers has weights 0.

    Args:
      method: one of `METHODS`.
      covered: bool [M, K], the classes that each model was trained on.
      ap: float [M, K] on the validation set, for the last four methods.
      given: [M], not negative, for "weighted".
      power: exponent of "power".

    Raises:
      ValueError: the method is unknown, or its argument is missing or has another shape.
    """
    one_of("method", method, Method)
    covered = np.asarray(covered, bool)  # [M, K]
    if method == "average":
        return _shares(covered.astype(np.float64))
    if method == "weighted":
        if given is None or len(given) != len(covered) or min(given) < 0 or sum(given) <= 0:
            raise ValueError(
                f"expected {len(covered)} weights, not negative and not all 0, instead of {given}"
            )
        return _shares(covered * np.asarray(given, np.float64)[:, np.newaxis])
    if ap is None or np.shape(ap) != covered.shape:
        found = None if ap is None else np.shape(ap)
        raise ValueError(f"expected APs of shape {covered.shape} instead of {found}")
    ap = np.where(covered, np.asarray(ap, np.float64), 0.0)  # [M, K]
    ap = np.where(ap.any(axis=0), ap, covered)
    if method == "power":
        best = ap.max(axis=0)  # dividing by it first prevents underflow at high powers
        return _shares((ap / np.where(best > 0, best, 1.0)) ** power * (ap > 0))
    p = int(method[1])
    norm = np.sum(ap**p, axis=0) ** (1.0 / p)  # [K]
    return ap / np.where(norm > 0, norm, 1.0)


def _shares(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=0)
    return weights / np.where(total > 0, total, 1.0)


def bounded(weights: np.ndarray) -> np.ndarray:
    """Return weights [M, K] divided by one constant, so that fused probabilities are at most 1.

    One constant for all classes changes no rank, and so neither GAP nor MAP.
    """
    return weights / max(1.0, float(weights.sum(axis=0).max(initial=0.0)))


def weighted_sum(parts: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return float32 [n, K], the sum over models i of `weights[i]` [K] times `parts[i]` [n, K].

    Raises:
      UserError: a score is NaN or infinite.
    """
    fused = np.zeros_like(parts[0], np.float32)
    for part, weight in zip(parts, np.asarray(weights, np.float32)):
        fused += part * weight
    if not np.isfinite(fused).all():
        raise UserError(
            "an input contains scores that are not finite numbers (NaN or infinite); predict them"
            " again."
        )
    return fused
