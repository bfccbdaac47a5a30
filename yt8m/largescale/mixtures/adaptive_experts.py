"""How many experts each class gets: many where there are videos to train them on, one where there are not."""

from __future__ import annotations

from typing import Any

import numpy as np

ROUNDINGS = {"floor": np.floor, "ceil": np.ceil, "round": np.rint}


def experts_per_class(
    counts: np.ndarray, max_experts: int, divisor: float = 3.0, rounding: str = "floor"
) -> np.ndarray:
    """Return |E_k| = max(1, min(⌊n_k / q⌋, E_max)), int64 [K] (KDD eq. 4; spec D.4).

    The equation's quotient is no integer and may be 0; the integer part and the least of one expert are our reading.

    Args:
      counts: n_k, positives of each class in the training set, [K].
      max_experts: E_max.
      divisor: q > 0, the positives that one expert needs; the paper's experiments have 3. 0 gives every class E_max.
      rounding: "floor", "ceil" or "round".

    Raises:
      ValueError: an argument is out of range.
    """
    if max_experts < 1 or divisor < 0 or rounding not in ROUNDINGS:
        raise ValueError(
            f"max_experts >= 1, divisor >= 0, rounding one of {sorted(ROUNDINGS)}; not {max_experts}, {divisor}, {rounding!r}"
        )
    counts = np.asarray(counts, np.float64)
    if divisor == 0:
        return np.full(counts.shape, max_experts, np.int64)
    wanted = ROUNDINGS[rounding](counts / divisor)
    return np.clip(wanted, 1, max_experts).astype(np.int64)


def groups_by_experts(experts: np.ndarray) -> list[dict[str, Any]]:
    """Return [{"classes": [...], "num_mixtures": k}, ...], classes with equal numbers of experts together, fewest first.

    This is how a model's `groups` argument and `GroupedMixtureOfExperts` name them; it is JSON-ready.

    Args:
      experts: of each class, [K].
    """
    return [
        {"classes": np.flatnonzero(experts == k).tolist(), "num_mixtures": int(k)}
        for k in np.unique(experts)
    ]
