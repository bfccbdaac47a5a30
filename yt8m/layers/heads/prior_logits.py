"""The biases with which an untrained head predicts the label frequencies."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Whether a head starts at the label frequencies, or with the zero biases of the starter code.
Initial = Literal["priors", "zeros"]


def prior_logits(priors: NDArray[Any]) -> NDArray[Any]:
    """Return log(p / (1 − p)) as float32 for frequencies [K], each first clipped to [1e-7, 0.95].

    Beyond these limits the first training step in float32 would be too large or too small.
    """
    p = np.clip(np.asarray(priors, np.float64), 1e-7, 0.95)
    return np.log(p / (1.0 - p)).astype(np.float32)
