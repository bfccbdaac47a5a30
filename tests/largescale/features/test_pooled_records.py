"""Pooled records: those of the same network and the same data are kept, and no others."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from tests.support.records import rgb_audio_frames
from yt8m.data.records.writers import write_shard
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features.pooled_records import pool_records
from yt8m.models.core import registry

SCHEMA = RecordSchema("frame", ("rgb", "audio"), (5, 3), 4, max_frames=6)


def write(path, videos):
    rng = np.random.default_rng(len(videos))
    values = [rng.integers(0, 256, (4, 8), dtype=np.uint8) for _ in videos]
    payloads = [rgb_audio_frames(i, x, [i % 4], rgb=5) for i, x in zip(videos, values)]
    write_shard(path, payloads)
    return path


@pytest.fixture
def files(tmp_path):
    return [write(str(tmp_path / f"{n}.tfrecord"), range(n, n + 3)) for n in range(2)]


def pool(files, folder, seed=1):
    tf.keras.utils.set_random_seed(seed)
    model = registry.create(
        "DbofBasic", num_classes=4, feature_sizes=(5, 3), width=6
    ).build_weights()
    printed = []
    return pool_records(
        InProcessExecutor(), model, files, SCHEMA, folder, say=printed.append
    ), printed


def test_those_of_another_network_or_of_other_data_are_refused(files, tmp_path):
    folder = str(tmp_path / "pooled")
    targets, printed = pool(files, folder)
    assert printed == ["pooling the frames of 2 of 2 shards"]
    assert all(map(os.path.exists, targets))
    assert pool(files, folder) == (targets, [])
    with pytest.raises(
        UserError, match=r"pooled records of another frame network, .*--start_new_model"
    ):
        pool(files, folder, seed=2)
    size = sum(map(os.path.getsize, files))
    write(files[1], range(5))  # the same name
    with pytest.raises(
        UserError,
        match=f"pooled records of other data .then 2 shards of {size:,} bytes, .* now 2 shards",
    ):
        pool(files, folder)
    with open(os.path.join(folder, "about.json")) as f:
        about = json.load(f)
    del about["data"]  # as an older version wrote it
    with open(os.path.join(folder, "about.json"), "w") as f:
        json.dump(about, f)
    with pytest.raises(UserError, match="then not recorded, now"):
        pool(files, folder)
