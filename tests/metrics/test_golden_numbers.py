"""The numbers that the original calculators gave for a small example; ours must be the same."""

import numpy as np
import pytest

from yt8m.metrics.average_precision import ranked_average_precision
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.metrics.perr import perr_per_video

PREDICTIONS = np.array(
    [
        [0.9, 0.1, 0.8, 0.05, 0.3, 0.02],
        [0.2, 0.7, 0.1, 0.6, 0.4, 0.03],
        [0.5, 0.45, 0.35, 0.15, 0.95, 0.01],
        [0.25, 0.55, 0.65, 0.75, 0.12, 0.85],
    ]
)
LABELS = np.zeros((4, 6), np.uint8)
for row, classes in enumerate([(0, 2), (1, 4), (1, 4), (0,)]):
    LABELS[row, list(classes)] = 1


@pytest.mark.parametrize(
    ("top_k", "gap", "aps", "filtered", "unfiltered"),
    [
        (2, 0.4880952381, [0.5, 0.5, 1, 0, 0.5, 0], 0.625, 0.4166666667),
        (3, 0.6374458874, [0.5, 1, 1, 0, 1, 0], 0.875, 0.5833333333),
        (20, 0.6911255411, [5 / 6, 5 / 6, 1, 0, 1, 0], 0.9166666667, 0.6111111111),
    ],
)
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_the_example(top_k, gap, aps, filtered, unfiltered, batch):
    metrics, keeping = (
        EvaluationMetrics(6, top_k),
        EvaluationMetrics(6, top_k, map_classes="all"),
    )
    for start in range(0, 4, batch):
        for m in (metrics, keeping):
            m.update(
                PREDICTIONS[start : start + batch],
                LABELS[start : start + batch],
                loss=np.arange(4.0)[start:][:batch],
            )
    result = metrics.result()
    assert result["gap"] == pytest.approx(gap, abs=1e-9)
    assert result["map"] == pytest.approx(filtered, abs=1e-9)
    assert keeping.result()["map"] == pytest.approx(unfiltered, abs=1e-9)
    assert (result["hit_at_1"], result["perr"], result["loss"]) == (0.75, 0.5, 1.5)
    assert (result["num_examples"], result["num_classes_with_positives"]) == (4, 4)
    ap, positives = metrics.per_class_ap()
    np.testing.assert_allclose(ap, aps, atol=1e-9)
    np.testing.assert_array_equal(positives, [2, 2, 1, 0, 2, 0])
    assert result["hit_at_5"] == 1.0


def test_perr_of_each_video():
    np.testing.assert_array_equal(perr_per_video(PREDICTIONS, LABELS), [1, 0.5, 0.5, 0])
    np.testing.assert_array_equal(perr_per_video(PREDICTIONS, np.zeros_like(LABELS)), np.zeros(4))


@pytest.mark.parametrize(
    ("hits", "positives", "expected"),
    [
        ([1, 0, 1, 0], 2, 5 / 6),
        ([1, 0], 2, 0.5),
        ([1, 0, 1, 0], 5, 1 / 3),
        ([0, 0], 0, 0.0),
        ([], 0, 0.0),
        ([1], 0, 0.0),
    ],
)
def test_average_precision(hits, positives, expected):
    found = ranked_average_precision(np.array(hits, bool), positives)
    assert found == pytest.approx(expected, abs=1e-9)
