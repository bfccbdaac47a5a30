"""Statistics of features against NumPy, over records that cannot all be used."""

import dataclasses

import numpy as np
import pytest

from tests.support.records import damage
from yt8m.data.features.statistics import Moments, learn_statistics
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import frame_record, video_record, write_shard
from yt8m.data.schema import RecordSchema


def test_a_large_mean_costs_no_precision():
    rng = np.random.default_rng(0)
    x = 1e6 + rng.normal(size=(1000, 3)) * [1e-3, 1.0, 0.0]
    moments = Moments(3)
    for part in np.split(x, [1, 10, 10, 700]):
        moments.add(part)
    found = moments.result()
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std[:2], x.std(0)[:2], rtol=1e-5)
    assert found.varies.tolist() == [False, True, False], "float32 cannot hold the first's changes"
    assert (found.rows, found.records) == (1000, 5)
    np.testing.assert_array_equal([found.least, found.most], [x.min(0), x.max(0)])


def test_means_of_videos_without_broken_records_and_nans(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4)).astype(np.float32)
    x[3, 1] = np.nan
    records = [video_record(b"v%d" % i, {"x": row}, [1]) for i, row in enumerate(x)]
    records.insert(7, video_record(b"short", {"x": [1.0]}, [1]))
    path = str(tmp_path / "a.tfrecord")
    write_shard(path, records)
    good = np.delete(x, 3, 0)
    found = learn_statistics([path], RecordSchema("video", ("x",), (4,), 2))
    np.testing.assert_allclose(found.mean, good.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.std, good.std(0), rtol=1e-6)
    damage(path, 20, "payload")  # a part is enough: the reader stops there
    assert 10 <= learn_statistics([path], RecordSchema("video", ("x",), (4,), 2)).rows < 29


@pytest.mark.parametrize("as_bytes", [True, False])
def test_frames_of_every_shard_up_to_a_number_of_records(as_bytes, tmp_path):
    rng = np.random.default_rng(1)
    files, kept = [], []
    for shard in range(3):
        files.append(str(tmp_path / f"{shard}.tfrecord"))
        frames = [rng.integers(0, 256, (5 + i, 6), dtype=np.uint8) for i in range(4)]
        values = frames if as_bytes else [dequantize(f) for f in frames]
        parts = [{"a": v[:, :2], "b": v[:, 2:]} for v in values]
        write_shard(files[-1], [frame_record(b"v", part, [0]) for part in parts])
        kept += [dequantize(f)[:6] for f in frames[:2]]  # 6 frames at most, 2 records of each shard
    schema = RecordSchema("frame", ("a", "b"), (2, 4), 3, max_frames=6, float_frames=not as_bytes)
    found = learn_statistics(files, schema, records=6)
    rows = np.concatenate(kept).astype(np.float64)
    np.testing.assert_allclose([found.mean, found.std], [rows.mean(0), rows.std(0)], atol=1e-6)
    assert (found.records, found.rows) == (6, len(rows))


def test_no_finite_value(tmp_path):
    path = str(tmp_path / "a.tfrecord")
    write_shard(path, [video_record(b"v", {"x": [np.inf]}, [0])])
    schema = RecordSchema("video", ("x",), (1,), 2)
    assert learn_statistics([path], schema) is None
    assert learn_statistics([path], dataclasses.replace(schema, feature_sizes=(2,))) is None
