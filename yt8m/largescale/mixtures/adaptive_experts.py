"""The number of experts per class: many for classes with enough videos, one for the others."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from yt8m.errors import one_of
from yt8m.runs.settings.alternation import Rounding

_ROUNDINGS: dict[Rounding, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
}


def experts_per_class(
    counts: np.ndarray, max_experts: int, divisor: float = 3.0, rounding: Rounding = "floor"
) -> np.ndarray:
    """Return |E_k| = max(1, min(⌊n_k / q⌋, E_max)), int64 [K] (KDD eq. 4).

    The equation's quotient need not be an integer and may be 0. Taking its integer part and at
    least one expert is our reading (docs/sources.md#adaptive-experts).

    Args:
      counts: n_k, the positives of each class in the training set, [K].
      max_experts: E_max.
      divisor: q > 0, the positives that one expert needs; the paper's experiments have 3. 0 gives
        every class E_max.
      rounding: "floor", "ceil" or "round".

    Raises:
      ValueError: an argument is out of range.
    """
    one_of("rounding", rounding, Rounding)
    if max_experts < 1 or divisor < 0:
        raise ValueError(
            f"max_experts >= 1 and divisor >= 0 are expected, not {max_experts} and {divisor}"
        )
    counts = np.asarray(counts, np.float64)
    if divisor == 0:
        return np.full(counts.shape, max_experts, np.int64)
    wanted = _ROUNDINGS[rounding](counts / divisor)
    return np.clip(wanted, 1, max_experts).astype(np.int64)


def groups_by_experts(experts: np.ndarray) -> list[dict[str, Any]]:
    """Return the groups of classes with equally many experts, those with the fewest experts first.

    Args:
      experts: the number of experts of each class, [K].

    Returns:
      [{"classes": [...], "num_mixtures": k}, ...], ready for JSON, as a model's `groups` argument
      and `GroupedMixtureOfExperts` take it.
    """
    return [
        {"classes": np.flatnonzero(experts == k).tolist(), "num_mixtures": int(k)}
        for k in np.unique(experts)
    ]
