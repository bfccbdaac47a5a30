"""Videos of classes with many modes: what a video is, and that shards are the same again."""

import numpy as np
import pytest

from yt8m.data.synthetic.modes import ModesSpec, draw, write_modes


def test_a_video_lies_at_a_mode_of_its_class():
    """Without noise the videos of a class are as many points as it has modes."""
    spec = ModesSpec(num_classes=5, modes=3, feature_sizes=(4, 2), noise=0.0)
    features, classes = draw(spec, 400, [1, 0])
    assert features.shape == (400, 6)
    points = [np.unique(features[classes == c], axis=0) for c in range(5)]
    assert [len(p) for p in points] == [3] * 5
    assert len(np.unique(np.concatenate(points), axis=0)) == 15
    other, _ = draw(spec, 400, [2, 0])
    assert len(np.unique(np.concatenate([features, other]), axis=0)) == 15, "the same classes"
    assert (features != other).any(), "and other videos"


def test_noise_is_as_stated():
    spec = ModesSpec(num_classes=50, modes=40, feature_sizes=(24, 8), noise=0.5)
    features, classes = draw(spec, 3000, [1, 0])
    assert np.bincount(classes, minlength=50).min() > 30
    assert features.std() == pytest.approx((1 + 0.25) ** 0.5, rel=0.02)


def test_shards_are_the_same_bytes_again_and_not_written_twice(tmp_path):
    spec = ModesSpec(num_classes=5, modes=3, feature_sizes=(4, 2), num_shards=2)
    for name in ("a", "b"):
        write_modes(str(tmp_path / name), "train", 21, spec, 0)
    first, second = (sorted((tmp_path / n).glob("*.tfrecord")) for n in ("a", "b"))
    assert [p.name for p in first] == ["train0000.tfrecord", "train0001.tfrecord"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    first[0].write_bytes(b"mine")
    write_modes(str(tmp_path / "a"), "train", 21, spec, 0)
    assert first[0].read_bytes() == b"mine"
