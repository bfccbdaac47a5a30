"""The number of labels removed and added in each class, and which ones the scores choose."""

import numpy as np
import pytest

from yt8m.data.label_noise import AlignedScores, LabelNoise, changes, highest, how_many
from yt8m.data.pipeline import build_dataset
from yt8m.data.record_index import build_index
from yt8m.errors import UserError

N, K, FRACTION = 57, 10, 0.3


@pytest.fixture
def index(make):
    return build_index(make.shards("video", N, 3), "video", K)


@pytest.fixture
def scores(index):
    """Scores in another order than the records', with one video too many, and many ties."""
    rng = np.random.default_rng(0)
    ids = [i.decode() for i in rng.permutation(index.ids)] + ["stranger"]
    return ids, rng.integers(0, 12, (N + 1, K)).astype(np.float32) / 12


def truth(index):
    y = np.zeros((N, K), bool)
    y[index.labels.rows(), index.labels.values] = True
    return y


@pytest.mark.parametrize("kind", ["remove", "complete"])
@pytest.mark.parametrize("scored", [True, False])
def test_exactly_a_fraction_of_each_class(index, scores, kind, scored):
    aligned = AlignedScores(index, *scores) if scored else None
    records, classes = changes(index, kind, FRACTION, 7, aligned)
    y = truth(index)
    assert len(set(zip(records.tolist(), classes.tolist()))) == len(records)
    np.testing.assert_array_equal(
        np.bincount(classes, minlength=K), np.floor(FRACTION * index.positives())
    )
    assert np.all(y[records, classes] == (kind == "remove"))
    if not scored:
        other, _ = changes(index, kind, FRACTION, 8)
        assert sorted(other) != sorted(records)
        np.testing.assert_array_equal(changes(index, kind, FRACTION, 7)[0], records)


@pytest.mark.parametrize("kind", ["remove", "complete"])
def test_those_that_the_scores_name(index, scores, kind):
    records, classes = changes(index, kind, FRACTION, 0, AlignedScores(index, *scores))
    place = {name: i for i, name in enumerate(scores[0])}
    s, y = scores[1][[place[i.decode()] for i in index.ids]], truth(index)
    assert len(records)
    for c in range(K):
        chosen = np.zeros(N, bool)
        chosen[records[classes == c]] = True
        pool = y[:, c] if kind == "remove" else ~y[:, c]
        left = pool & ~chosen
        if chosen.any() and left.any():
            if kind == "remove":
                assert s[chosen, c].max() <= s[left, c].min()
            else:
                assert s[chosen, c].min() >= s[left, c].max()


def test_highest_takes_the_first_of_equals():
    values = np.array([1.0, 3.0, 2.0, 3.0, 2.0, 0.0])
    assert [highest(values, n).tolist() for n in range(5)] == [
        [],
        [1],
        [1, 3],
        [1, 2, 3],
        [1, 2, 3, 4],
    ]
    assert highest(values, 9).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_floor_of_a_product_that_is_whole():
    assert how_many(np.array([19, 20, 39, 60, 100, 140]), 0.05).tolist() == [0, 1, 1, 3, 5, 7]
    assert how_many(np.array([100, 700]), 0.29).tolist() == [
        29,
        203,
    ]  # 0.29 * 100 is 28.999999999999996


@pytest.mark.parametrize("kind", ["remove", "complete"])
@pytest.mark.parametrize("level", ["video", "frame"])
def test_batches_carry_the_changed_labels(make, kind, level):
    files = make.shards(level, N, 3)
    index = build_index(files, level, K)
    records, classes = changes(index, kind, FRACTION)
    expected = truth(index)
    expected[records, classes] = kind == "complete"
    noise = LabelNoise(kind, index.ids[records], classes)
    seen = {}
    for batch in noise.apply(build_dataset(files, getattr(make, level), batch_size=8)):
        assert batch["labels"].dtype == "uint8"
        seen.update(zip(batch["id"].numpy().tolist(), batch["labels"].numpy()))
    for i, name in enumerate(index.ids.tolist()):
        np.testing.assert_array_equal(seen[name], expected[i])


def test_scores_that_do_not_fit(index, scores):
    with pytest.raises(
        UserError,
        match=r"--label_noise_scores: 1 of the 57 training videos have no scores.*inference.py",
    ):
        AlignedScores(index, [i if i != "v5" else "v999" for i in scores[0]], scores[1])
    with pytest.raises(UserError, match="trained on 4 of the 10 classes"):
        AlignedScores(index, *scores, covered=[0, 1, 2, 5])
    AlignedScores(index, *scores, covered=list(range(K)))
    with pytest.raises(UserError, match="scores are for 9 classes"):
        AlignedScores(index, scores[0], scores[1][:, :9])
