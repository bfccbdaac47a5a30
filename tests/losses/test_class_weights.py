"""Class weights against their formula."""

import numpy as np
import pytest

from yt8m.losses.class_weights import class_weights


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_the_formula(power):
    n = np.array([9.0, 4.0, 1.0, 25.0])
    w = class_weights(n, power)
    assert w.dtype == np.float32
    assert w.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(w[1:] / w[0], (n[0] / n[1:]) ** power, rtol=1e-6)
    np.testing.assert_allclose(
        class_weights(n / 1e4, power), w, rtol=1e-6
    )  # frequencies do as well as counts


def test_clipped_after_the_mean():
    n = np.array([1e6] + [1e4] * 50 + [1.0])
    w = class_weights(n, 1.0)
    raw = (1 / n) / (1 / n).mean()
    np.testing.assert_allclose(w, np.clip(raw, 0.1, 10), rtol=1e-6)
    assert w.min() == np.float32(0.1)
    assert w.max() == 10


def test_power_0_weighs_all_alike():
    np.testing.assert_array_equal(class_weights(np.array([5.0, 1.0]), 0.0), [1, 1])
