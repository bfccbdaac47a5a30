"""The streamed metrics against a slow and obviously right reference."""

import functools
import pickle

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.metrics.evaluation_metrics import EvaluationMetrics, merged


def slow_ap(pairs, positives):
    """AP by its definition; `pairs` are (score, hit) without ties."""
    found, total = 0, 0.0
    for rank, (_, hit) in enumerate(sorted(pairs, reverse=True), 1):
        if hit:
            found += 1
            total += found / rank
    return total / positives if positives else 0.0


def slow_metrics(predictions, labels, k):
    pooled, by_class, perrs, hits = [], {}, [], {1: [], 5: []}
    for scores, truth in zip(predictions.tolist(), labels.tolist()):
        order = sorted(range(len(scores)), key=lambda c: (-scores[c], c))
        for c in order[:k]:
            pooled.append((scores[c], truth[c] > 0))
            by_class.setdefault(c, []).append((scores[c], truth[c] > 0))
        count = sum(t > 0 for t in truth)
        right = sum(truth[c] > 0 and scores[c] > 0 for c in order[:count])
        perrs.append(right / count if count else 0.0)
        for n, found in hits.items():
            found.append(any(truth[c] > 0 for c in order[:n]))
    positives = (labels > 0).sum(axis=0)
    aps = [slow_ap(by_class.get(c, []), positives[c]) for c in range(labels.shape[1])]
    return {
        "gap": slow_ap(pooled, positives.sum()),
        "map": float(np.mean([a for a, p in zip(aps, positives) if p])) if positives.any() else 0.0,
        "perr": np.mean(perrs),
        "hit_at_1": np.mean(hits[1]),
        "hit_at_5": np.mean(hits[5]),
        "num_classes_with_positives": int((positives > 0).sum()),
    }, aps


def random_data(seed, videos, classes, rate, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    scores = (
        rng.permutation(videos * classes).reshape(videos, classes) / (videos * classes) - 0.2
    )  # distinct, some < 0
    return scores.astype(np.float32), (rng.random((videos, classes)) < rate).astype(dtype)


@pytest.mark.parametrize(
    ("videos", "classes", "k", "rate"),
    [
        (1, 1, 20, 0.5),
        (7, 3, 1, 0.5),
        (40, 6, 20, 0.4),
        (30, 25, 4, 0.5),
        (50, 200, 20, 0.02),
        (20, 700, 20, 0.1),
        (9, 40, 5, 0.0),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float32])
def test_equals_the_slow_reference(videos, classes, k, rate, dtype):
    predictions, labels = random_data(videos, videos, classes, rate, dtype)
    metrics = EvaluationMetrics(classes, k)
    for start in range(0, videos, 8):
        metrics.update(predictions[start : start + 8], labels[start : start + 8])
    expected, aps = slow_metrics(predictions, labels, k)
    result = metrics.result()
    for name, value in expected.items():
        assert result[name] == pytest.approx(value, abs=1e-9), name
    np.testing.assert_allclose(metrics.per_class_ap()[0], aps, atol=1e-9)
    assert set(result) == {*expected, "loss", "num_examples"}


@pytest.mark.parametrize("classes", [12, 300])
def test_ties_within_a_video_go_to_the_lower_class(classes):
    rng = np.random.default_rng(0)
    predictions = rng.integers(0, 4, (30, classes)).astype(np.float32) / 4
    labels = (rng.random((30, classes)) < 0.1).astype(np.uint8)
    metrics = EvaluationMetrics(classes, 5)
    metrics.update(predictions, labels)
    expected, _ = slow_metrics(predictions, labels, 5)
    for name in ("perr", "hit_at_1", "hit_at_5"):
        assert metrics.result()[name] == pytest.approx(expected[name], abs=1e-12)


def test_ties_between_videos_favour_neither_positives_nor_negatives():
    # 2,000 equal scores, all positives first: in data order GAP would be 1.
    metrics = EvaluationMetrics(1)
    metrics.update(np.full((2000, 1), 0.5), np.arange(2000)[:, None] < 1000)
    assert metrics.result()["gap"] == pytest.approx(0.5, abs=0.05)
    assert metrics.result() == metrics.result()


def test_any_split_and_any_order_of_batches_give_the_same():
    predictions, labels = random_data(3, 60, 90, 0.05)
    whole, parts = EvaluationMetrics(90), EvaluationMetrics(90)
    whole.update(predictions, labels, loss=np.arange(60.0))
    for rows in np.split(np.random.default_rng(1).permutation(60), [5, 6, 31]):
        parts.update(predictions[rows], labels[rows], loss=rows.astype(float))
        parts.result()  # a result in between changes nothing
    assert parts.result() == pytest.approx(whole.result(), abs=1e-12)


@pytest.mark.parametrize("cuts", [(), (0,), (1, 2, 3), (8, 8, 40), (13, 29, 57), tuple(range(60))])
def test_parts_merged_in_order_are_the_whole_to_the_last_bit(cuts):
    rng = np.random.default_rng(7)
    predictions, labels = random_data(3, 60, 90, 0.05)
    predictions = np.round(predictions, 1)  # with ties, whose order depends on the place
    labels[5, :40] = 1  # more labels than pairs
    losses = rng.random(60).astype(np.float32) * 10.0 ** rng.integers(-8, 8, 60)
    losses[20:24] = 0.1

    def measured(rows, batch):
        metrics = EvaluationMetrics(90)
        for i in range(0, len(rows), batch):
            some = rows[i : i + batch]
            metrics.update(predictions[some], labels[some], loss=losses[some])
        return metrics

    whole = measured(np.arange(60), 60)
    parts = [measured(rows, 7) for rows in np.split(np.arange(60), cuts)]
    before = [pickle.dumps(part) for part in parts]
    in_a_line = functools.reduce(merged, parts, None)
    halves = [functools.reduce(merged, p, None) for p in (parts[:2], parts[2:]) if p]
    in_a_tree = functools.reduce(merged, pickle.loads(pickle.dumps(halves)), None)
    for total in (in_a_line, in_a_tree):
        assert total.result() == whole.result()
        for mine, other in zip(total.per_class_ap(), whole.per_class_ap()):
            np.testing.assert_array_equal(mine, other)
    assert [pickle.dumps(part) for part in parts] == before
    assert in_a_line.result() == whole.result()  # also when it is asked again


def test_parts_without_examples_or_losses_are_merged():
    total = merged(merged(None, EvaluationMetrics(4)), EvaluationMetrics(4))
    with pytest.raises(UserError, match="no example"):
        total.result()
    part = EvaluationMetrics(4)
    part.update(np.eye(4), np.eye(4))
    total.merge(part)
    assert total.result() == part.result()
    assert total.result()["loss"] is None
    with pytest.raises(ValueError, match=r"\(5, 5\) were merged into \(4, 4\)"):
        total.merge(EvaluationMetrics(5))


def test_unrated_classes_score_zero():
    predictions, labels = random_data(4, 10, 8, 0.3)
    rated = (np.random.default_rng(2).random((10, 8)) < 0.5).astype(np.float32)
    metrics, reference = EvaluationMetrics(8, 4), EvaluationMetrics(8, 4)
    metrics.update(np.abs(predictions), labels, weights=rated)
    reference.update(np.abs(predictions) * rated, labels)
    assert metrics.result() == reference.result()


def test_refusals():
    metrics = EvaluationMetrics(300)
    with pytest.raises(UserError, match="no example"):
        metrics.result()
    for column in (0, 299):
        bad = np.zeros((2, 300), np.float32)
        bad[1, column] = np.nan
        with pytest.raises(
            UserError, match=r"1 of 2 rows are NaN.*First .*inspect --full.* Otherwise the model"
        ):
            metrics.update(bad, np.zeros((2, 300)))
    with pytest.raises(ValueError, match="loss"):
        metrics.update(np.zeros((2, 300)), np.zeros((2, 300)), loss=np.float32(3))
    with pytest.raises(ValueError, match="300"):
        metrics.update(np.zeros((2, 299)), np.zeros((2, 299)))


def test_memory_a_video_is_small():
    metrics = EvaluationMetrics(3862)
    predictions = np.random.default_rng(0).random((64, 3862), dtype=np.float32)
    metrics.update(predictions, np.zeros((64, 3862), np.uint8), loss=np.zeros(64))
    held = [a if a.base is None else a.base for chunk in metrics._chunks for a in chunk]
    assert sum(a.nbytes for a in held) <= 64 * (20 * 7 + 16)  # 172 MB for 1.1 million videos
