"""The fast choice of the best k against a full stable sort."""

import numpy as np
import pytest

from yt8m.metrics.top_k import top_k


@pytest.mark.parametrize(
    ("rows", "width", "k"),
    [
        (1, 1, 1),
        (5, 7, 20),
        (33, 159, 20),
        (33, 160, 20),
        (17, 1000, 3),
        (9, 3862, 20),
        (4, 3863, 400),
    ],
)
@pytest.mark.parametrize("kind", ["distinct", "tied", "few high", "constant", "infinite"])
def test_equals_a_full_sort(rows, width, k, kind):
    rng = np.random.default_rng(width)
    scores = rng.normal(size=(rows, width)).astype(np.float32)
    if kind == "tied":
        scores = np.round(scores)
    if kind == "few high":  # the best lie side by side, and most of a row is one value
        scores = np.zeros_like(scores)
        scores[:, width // 2 : width // 2 + 5] = 1
    if kind == "constant":
        scores[::2] = 0.25  # some rows are all ties, some are not
    if kind == "infinite":
        scores[:, ::3] = -np.inf
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    values, columns = top_k(scores, k)
    np.testing.assert_array_equal(columns, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(scores, expected, 1))


def test_no_rows_and_float16():
    values, columns = top_k(np.zeros((0, 500), np.float32), 20)
    assert values.shape == columns.shape == (0, 20)
    half = np.random.default_rng(0).random((6, 900)).astype(np.float16)
    np.testing.assert_array_equal(
        top_k(half, 9)[1], np.argsort(-half, axis=1, kind="stable")[:, :9]
    )
