"""The frequency of classes is found from labels, ratings or a vocabulary."""

import dataclasses

import numpy as np
import pytest

from tests.support.records import rgb_audio_means
from yt8m.data.priors import label_priors, sampled_counts
from yt8m.data.vocabulary import Vocabulary
from yt8m.errors import UserError


@pytest.mark.parametrize("level", ["video", "frame"])
def test_counts(make, level):
    files = make.shards(level, 57, 3)
    expected = np.bincount([c for i in range(57) for c in make.labels(i)], minlength=10)
    counts, videos = sampled_counts(files, getattr(make, level))
    assert videos == 57
    np.testing.assert_array_equal(counts, expected)
    priors, how = label_priors(files, getattr(make, level))
    np.testing.assert_allclose(priors, (expected + 0.5) / 58)
    assert how == "the labels of 57 videos"


def test_bounded_and_spread_over_all_shards(make):
    files = make.shards("video", 400, 8)  # shard s holds videos s, s + 8, ...
    counts, videos = sampled_counts(files, make.video, 16)
    assert videos == 16
    expected = np.bincount(
        [c for s in range(8) for i in (s, s + 8) for c in make.labels(i)], minlength=10
    )
    np.testing.assert_array_equal(counts, expected)


def test_fewer_records_than_shards(make):
    assert sampled_counts(make.shards("video", 400, 8), make.video, 4)[1] == 4


def test_segments_count_positives_among_a_class_s_ratings(make):
    schema = dataclasses.replace(make.frame, segment_labels=True)
    ratings = [[(0, 3, 1.0), (0, 4, 0.0), (5, 3, 1.0), (10, 4, 0.0)], [(0, 4, 1.0)], []]
    path = make.shard(
        "s.tfrecord", [make.frame_payload(i, segments=r) for i, r in enumerate(ratings)]
    )
    counts, segments = sampled_counts([path], schema)
    np.testing.assert_array_equal(
        segments, [4, 4, 4, 2, 3, 4, 4, 4, 4, 4]
    )  # of 4 segments: what was not rated says nothing
    np.testing.assert_array_equal(np.flatnonzero(counts), [3, 4])
    assert (counts[3], counts[4]) == (2, 1)
    vocabulary = Vocabulary(
        tuple("abcdefghij"), np.full(10, 1e6)
    )  # counts videos, so it is no use here
    priors, how = label_priors([path], schema, vocabulary)
    np.testing.assert_allclose(priors[[0, 3, 4]], [0.5 / 5, 2.5 / 3, 1.5 / 4])
    assert how == "each class's ratings of segments"


def test_vocabulary_counts(make):
    files = make.shards("video", 50, 2)
    each = np.mean([len(make.labels(i)) for i in range(50)])
    given = np.array([900, 500, 300, 100, 50, 20, 10, 5, 1, 0])
    priors, how = label_priors(files, make.video, Vocabulary(tuple("abcdefghij"), given))
    videos = round(given.sum() / each)
    np.testing.assert_allclose(priors, (given + 0.5) / (videos + 1))
    assert how.startswith("the vocabulary's counts")


def test_vocabulary_of_other_classes_or_without_counts(make):
    files = make.shards("video", 20, 2)
    for vocabulary in (Vocabulary(("a", "b"), np.ones(2)), Vocabulary(tuple("abcdefghij"))):
        assert label_priors(files, make.video, vocabulary)[1] == "the labels of 20 videos"


def test_never_0_nor_1(make):
    files = make.shards("video", 20, 2)
    priors, _ = label_priors(files, dataclasses.replace(make.video, num_classes=50))
    assert priors.shape == (50,)
    assert priors.min() > 0
    assert priors.max() < 1


@pytest.mark.parametrize("index", [0, 7])
@pytest.mark.parametrize("counts", [None, np.arange(10)])
def test_a_broken_record_costs_itself_alone(make, damage, index, counts):
    files = make.shards("video", 60, 2)
    damage(files[0], index, "payload")
    left = [i for i in range(60) if i != 2 * index]
    assert sampled_counts(files, make.video)[1] == 59
    priors, how = label_priors(files, make.video, Vocabulary(tuple("abcdefghij"), counts))
    if counts is None:
        expected = np.bincount([c for i in left for c in make.labels(i)], minlength=10)
        np.testing.assert_allclose(priors, (expected + 0.5) / 60)
    else:
        videos = round(45 / np.mean([len(make.labels(i)) for i in left]))
        assert how == f"the vocabulary's counts, over about {videos:,} videos"


def test_a_record_that_does_not_parse_costs_itself_alone(make):
    path = make.shard(
        "x.tfrecord", [make.video_payload(0), b"garbage \xff payload", make.video_payload(2)]
    )
    counts, videos = sampled_counts([path], make.video)
    assert videos == 2
    np.testing.assert_array_equal(
        counts, np.bincount(make.labels(0) + make.labels(2), minlength=10)
    )


@pytest.mark.parametrize("counts", [None, np.ones(10)])
def test_refused_where_nothing_was_counted(make, damage, counts):
    vocabulary = Vocabulary(tuple("abcdefghij"), counts)
    path = make.shard("x.tfrecord", [make.video_payload(0)])
    damage(path, 0, "payload")
    for lost in (path, make.shard("y.tfrecord", [b"garbage payload"])):
        with pytest.raises(UserError, match=r"no example for the label priors .*--full.*tfrecord"):
            label_priors([lost], make.video, vocabulary)


def test_vocabulary_counts_need_labels(make):
    path = make.shard("x.tfrecord", [rgb_audio_means(0, np.zeros(8), [])])
    with pytest.raises(UserError, match=r"none of the 1 records examined .* has a label"):
        label_priors([path], make.video, Vocabulary(tuple("abcdefghij"), np.ones(10)))
