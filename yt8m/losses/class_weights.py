"""Weights of the classes in the loss, so that frequent ones count for less.

Adam and its kin divide each weight's gradient by its size, so where a class's weights are its own (a
logistic layer or a mixture of experts right on the features) a constant factor on its loss changes
next to nothing; it acts through layers that the classes share, through clipping, and under SGD.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.1, 10.0


def class_weights(frequencies: NDArray[Any], power: float) -> NDArray[Any]:
    """Return float32 [K]: w_c ∝ n_c^−β with mean 1, then clipped to [0.1, 10].

    Source: UTS 2.1, "frequency-normalised labels" (spec C.16; the paper gives no formula; its
    experiments are taken as β in {0.5, 1}).

    Args:
      frequencies: n_c, or anything in proportion to it, such as the label priors; above 0.
      power: β; 0 gives ones.
    """
    n = np.asarray(frequencies, np.float64)
    w = np.power(n / n.max(), -power)
    return np.clip(w / w.mean(), LEAST, MOST).astype(np.float32)
