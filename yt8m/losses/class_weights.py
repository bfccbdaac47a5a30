"""Weights of the classes in the loss, which give frequent classes less influence.

Adam and similar optimizers divide the gradient of each weight by its size. So where a class has
weights of its own (a logistic layer or a mixture of experts directly on the features), a constant
factor on its loss changes almost nothing. It acts through layers that classes share, through
clipping, and under SGD.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.1, 10.0


def class_weights(frequencies: NDArray[Any], power: float) -> NDArray[Any]:
    """Return w_c ∝ n_c^−β, scaled to mean 1 and then clipped to [0.1, 10], float32 [K].

    Source: UTS 2.1, "frequency-normalised labels" (docs/sources.md#label-weights). The paper gives
    no formula; its experiments are taken as β in {0.5, 1}.

    Args:
      frequencies: n_c above 0, or numbers in proportion to them such as the label priors.
      power: β; 0 gives ones.
    """
    n = np.asarray(frequencies, np.float64)
    w = np.power(n / n.max(), -power)
    return np.clip(w / w.mean(), LEAST, MOST).astype(np.float32)
