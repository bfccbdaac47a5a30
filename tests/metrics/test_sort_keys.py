"""The order of the keys against NumPy's own stable sort, and rankings against that of before."""

import numpy as np
import pytest

from yt8m.metrics import average_precision
from yt8m.metrics.average_precision import ranked
from yt8m.metrics.sort_keys import descending_keys, places_of

AWKWARD = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, 1e-45, -1e-45, 3e38, -3e38, 0.5, 0.5]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_keys_order_as_a_stable_sort(dtype):
    rng = np.random.default_rng(0)
    with np.errstate(over="ignore"):
        scores = np.concatenate([AWKWARD, rng.normal(size=500).round(1), AWKWARD]).astype(dtype)
    keys = np.sort(descending_keys(scores, np.arange(len(scores))))
    np.testing.assert_array_equal(places_of(keys), np.argsort(-scores, kind="stable"))


@pytest.mark.parametrize("size", [0, 1, 7, 999])
@pytest.mark.parametrize("part", [8, 1 << 18])
def test_a_ranking_shuffles_ties_and_sorts_stably(size, part, monkeypatch):
    monkeypatch.setattr(average_precision, "_PART", part)
    scores = np.random.default_rng(1).integers(-3, 4, size).astype(np.float32) / 4
    shuffled = np.random.default_rng(0).permutation(size)
    expected = shuffled[np.argsort(-scores[shuffled], kind="stable")]
    np.testing.assert_array_equal(ranked(scores, np.arange(size)), expected)
