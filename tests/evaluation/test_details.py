"""The details of an evaluation equal a plain count over all videos, however they are batched."""

import collections
import itertools
import json

import numpy as np
import pytest

from tests.support.commands import run_command
from yt8m.evaluation.details import BINS, MISTAKES, Details
from yt8m.evaluation.evaluate import evaluate
from yt8m.evaluation.pair_counts import PairCounts
from yt8m.metrics.evaluation_metrics import EvaluationMetrics

N, K = 400, 30


@pytest.fixture(scope="module")
def videos():
    """Scores, labels and ids; some videos have no label, and one has a score of exactly 1."""
    rng = np.random.default_rng(0)
    labels = rng.random((N, K)) < 0.1
    labels[:5] = False
    scores = rng.beta(0.4, 2.0, (N, K)).astype(np.float32)
    scores[labels] = np.maximum(scores[labels], rng.random(labels.sum())).astype(np.float32)
    scores[3, 7] = 1.0
    return scores, labels, [b"v%d" % i for i in range(N)]


def details_of(videos, size):
    scores, labels, ids = videos
    details, metrics = Details(K), EvaluationMetrics(K)
    for start in range(0, N, size):
        part = slice(start, start + size)
        best = metrics.update(scores[part], labels[part])
        details.update(ids[part], scores[part], labels[part], best)
    return details.result()


@pytest.fixture(scope="module")
def found(videos):
    return details_of(videos, 64)


def test_batches_do_not_matter(videos, found):
    other = details_of(videos, N)
    assert other["mistakes"] == found["mistakes"]
    assert other["confusions"] == found["confusions"]
    assert other["calibration"]["count"] == found["calibration"]["count"]
    np.testing.assert_allclose(
        other["calibration"]["mean"], found["calibration"]["mean"], atol=2e-6
    )


def test_calibration(videos, found):
    scores, labels, _ = videos
    bins = np.minimum((scores.astype(np.float64) * BINS).astype(int), BINS - 1)
    for i in range(BINS):
        inside = bins == i
        assert found["calibration"]["count"][i] == inside.sum()
        assert found["calibration"]["positives"][i] == labels[inside].sum()
        assert found["calibration"]["mean"][i] == pytest.approx(scores[inside].mean(), abs=1e-5)


def test_mistakes(videos, found):
    scores, labels, _ = videos
    wrong = np.where(labels, -1.0, scores)
    order = np.argsort(-wrong.max(axis=1), kind="stable")[:MISTAKES]
    assert [m["id"] for m in found["mistakes"]] == [f"v{i}" for i in order]
    assert [m["class"] for m in found["mistakes"]] == wrong[order].argmax(axis=1).tolist()
    assert found["mistakes"][0]["score"] == 1.0
    for m, row in zip(found["mistakes"], order):
        assert m["labels"] == np.flatnonzero(labels[row]).tolist()
        np.testing.assert_allclose(m["label_scores"], scores[row, m["labels"]], atol=1e-6)


def test_confusions(videos, found):
    scores, labels, _ = videos
    confused, together = collections.Counter(), collections.Counter()
    for s, y in zip(scores, labels):
        true = set(np.flatnonzero(y).tolist())
        best = set(np.argsort(-s, kind="stable")[: len(true)].tolist())
        confused.update(itertools.product(true - best, best - true))
        together.update(itertools.combinations(sorted(true), 2))
    assert sum(confused.values()) > 500
    listed = {(a, b): count for a, b, count, _ in found["confusions"]}
    assert len(listed) == 200
    assert all(confused[pair] == count for pair, count in listed.items())
    counts = [count for *_, count, _ in found["confusions"]]
    assert counts == sorted(confused.values(), reverse=True)[:200]
    for a, b, _, both in found["confusions"]:
        assert both == together[min(a, b), max(a, b)]


def test_pair_counts_are_compacted(monkeypatch):
    monkeypatch.setattr("yt8m.evaluation.pair_counts._BUFFERED", 10)
    counts, rng, expected = PairCounts(5), np.random.default_rng(0), collections.Counter()
    for _ in range(20):
        a, b = rng.integers(0, 5, (2, 7))
        counts.update(a, b)
        expected.update(zip(a.tolist(), b.tolist()))
    assert {(a, b): n for a, b, n in counts.most_frequent(100)} == dict(expected)
    assert counts.count(1, 2) == expected[1, 2]
    assert PairCounts(5).count(1, 2) == 0


def test_weights_count_as_in_the_metrics():
    class Batch(dict):
        """A batch whose values have `numpy()`."""

    def value(x):
        return type("Value", (), {"numpy": lambda _: np.asarray(x)})()

    batch = Batch(id=value([b"a"]), labels=value([[0, 1]]), weights=value([[0, 1]]))
    details = Details(2)
    scores = np.array([[0.9, 0.6]], np.float32)
    evaluate([(batch, scores)], lambda *_: np.zeros(1), 2, details=details)
    assert details.result()["confusions"] == []  # class 0 was not rated
    assert sum(details.result()["calibration"]["count"]) == 2
    assert details.result()["calibration"]["count"][18] == 0


def test_the_command_writes_them(finished_run, tmp_path):
    done = run_command("eval", f"--train_dir={finished_run}", f"--output_dir={tmp_path}")
    assert done.code == 0, done.err
    written = json.loads((tmp_path / "details.json").read_text())
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert sum(written["calibration"]["count"]) == 160 * 12
    assert len(written["mistakes"]) == 100
    assert metrics["hit_at_1"] < 1
    assert written["confusions"]
