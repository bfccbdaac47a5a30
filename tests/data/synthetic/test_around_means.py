"""Frames around real means keep the means, ids and labels."""

import os

import numpy as np
import pytest
import tensorflow as tf

from tests.support.records import read, rgb_audio_means
from yt8m.data.files.shards import find_shards
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import write_shard
from yt8m.data.synthetic.around_means import frames_around, from_video_level
from yt8m.errors import UserError


def test_frames_around_keep_the_mean():
    rng = np.random.default_rng(0)
    mean = rng.uniform(-0.5, 0.5, 50).astype(np.float32)
    x = dequantize(frames_around(mean, 200, rng))
    assert np.abs(x.mean(0) - mean).max() < 0.02
    assert 0.3 < x.std(0).mean() < 0.6
    centred = x - x.mean(0)
    neighbours = (centred[1:] * centred[:-1]).mean() / (centred**2).mean()
    assert neighbours > 0.75  # frames that follow each other are alike


def around_real(pattern, tmp_path, tolerance, num_classes=None):
    out = str(tmp_path / "frames")
    files = find_shards(pattern)
    count = from_video_level(pattern, out, num_frames=(120, 130), num_classes=num_classes)
    _, video = read(",".join(files), num_classes)
    _, frame = read(out + "/*.tfrecord", num_classes)
    assert count == len(video["id"])
    np.testing.assert_array_equal(frame["id"], video["id"])
    np.testing.assert_array_equal(frame["labels"], video["labels"])
    means = np.stack(
        [dequantize(f[:n]).mean(0) for f, n in zip(frame["frames"], frame["num_frames"])]
    )
    assert np.abs(means - video["video"]).mean() < tolerance
    assert frame["num_frames"].min() >= 120
    assert frame["num_frames"].max() <= 130
    # What is there is not made again, and nothing else is made beside it.
    assert from_video_level(pattern, out, num_frames=(120, 130), num_classes=num_classes) == 0
    with pytest.raises(UserError, match="with another frames, seed"):
        from_video_level(pattern, out, num_frames=(1, 2), seed=1, num_classes=num_classes)
    return np.abs(means - video["video"]).max()


def test_from_video_level(tmp_path):
    rng = np.random.default_rng(3)
    for shard in range(2):
        means = rng.uniform(-0.5, 0.5, (5, 10))
        records = [rgb_audio_means(10 * shard + i, x, [i], rgb=8) for i, x in enumerate(means)]
        write_shard(str(tmp_path / "video" / f"{shard}.tfrecord"), records)
    assert around_real(str(tmp_path / "video" / "*.tfrecord"), tmp_path, 0.02, 10) < 0.02


@pytest.mark.skipif(
    not os.environ.get("YT8M_SAMPLE_DIR"),
    reason="YT8M_SAMPLE_DIR, a folder of real records, is not set",
)
def test_from_real_video_level(tmp_path):
    first = find_shards(os.path.join(os.environ["YT8M_SAMPLE_DIR"], "train", "*.tfrecord"))[0]
    some = [x.numpy() for x in tf.data.TFRecordDataset(first).take(20)]
    write_shard(str(tmp_path / "video" / "real.tfrecord"), some)
    around_real(str(tmp_path / "video" / "*.tfrecord"), tmp_path, 0.02)
