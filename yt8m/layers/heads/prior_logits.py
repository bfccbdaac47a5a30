"""From label frequencies to the biases that predict them."""

from __future__ import annotations

import numpy as np


def prior_logits(priors: np.ndarray) -> np.ndarray:
    """Return log(p / (1 − p)) of frequencies [K], kept within what float32 and a first step can bear."""
    p = np.clip(np.asarray(priors, np.float64), 1e-7, 0.95)
    return np.log(p / (1.0 - p)).astype(np.float32)
