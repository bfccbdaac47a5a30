"""Float frames travel in the smallest type that keeps them, and are those that were written."""

import numpy as np
import pytest

from tests.support.records import stream
from yt8m.data.features.of_release import has_release_features
from yt8m.data.find_schema import find_schema
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import frame_record, video_record, write_shard

_RNG = np.random.default_rng(0)
_PLAIN = _RNG.normal(size=(8, 5, 3))
VALUES = {
    "float16": 2.5 + 5.5 * _RNG.random((8, 5, 3)),
    "bfloat16": _PLAIN * 1e5,  # out of the range of float16
    "float32": 100 + _PLAIN * 1e-3,
}


def written(folder, frames, key="x", **more):
    path = str(folder / "a.tfrecord")
    records = [frame_record(b"v%d" % i, {key: f}, [1], **more) for i, f in enumerate(frames)]
    write_shard(path, records)
    return [path]


@pytest.mark.parametrize("kind", VALUES)
def test_the_values_choose_the_type(kind, tmp_path):
    values = VALUES[kind].astype(np.float32)
    files = written(tmp_path, values)
    schema, line = find_schema(files, num_classes=2, max_frames=7)
    assert schema.frames_as == kind
    assert f"float frames travel as {kind} (values from " in line
    frames = stream(files, schema)["frames"]
    assert frames.dtype.name == kind
    found = frames[:, :5].astype(np.float64)
    assert np.abs(found - values).max() <= 0.01 * values.std((0, 1)).min()
    assert not frames[:, 5:].any(), "padding"


def test_a_run_decides_for_the_records_it_is_applied_to(tmp_path):
    files = written(tmp_path, VALUES["float16"].astype(np.float32))
    schema, line = find_schema(files, num_classes=2, max_frames=5, frames_as="bytes")
    assert "travel" not in line
    np.testing.assert_array_equal(stream(files, schema)["frames"], np.full((8, 5, 3), 255))


def test_a_value_beyond_float16_does_not_become_infinite(tmp_path):
    frames = np.full((1, 5, 3), -1e9, np.float32)
    files = written(tmp_path, frames)
    schema, _ = find_schema(files, num_classes=2, max_frames=5, frames_as="float16")
    np.testing.assert_array_equal(stream(files, schema)["frames"], np.full((1, 5, 3), -65504))


def test_records_without_a_finite_value(tmp_path):
    files = written(tmp_path, np.full((1, 5, 3), np.nan, np.float32))
    assert find_schema(files, num_classes=2)[0].frames_as == "float32"


def test_mediapipes_floats_of_the_release_are_quantized_as_it_is(tmp_path):
    q = _RNG.integers(0, 256, (3, 2, 1024), dtype=np.uint8)
    files = written(tmp_path, [dequantize(f) for f in q], "RGB/feature/floats")
    schema, line = find_schema(files, num_classes=2, max_frames=2)
    assert schema.frames_as == "bytes"
    assert "quantized to the 8 bits of the release" in line
    np.testing.assert_array_equal(stream(files, schema)["frames"], q)
    assert has_release_features(files, schema)


def test_features_of_a_release_by_name_form_and_range(tmp_path):
    def is_release(records):
        path = str(tmp_path / "b.tfrecord")
        write_shard(path, records)
        return has_release_features([path], find_schema([path], num_classes=2)[0])

    def means(name, value):
        return [video_record(b"v", {name: [0.0, value]}, [1])]

    assert is_release(means("mean_rgb", -1.99))
    assert not is_release(means("mean_rgb", 2.5)), "a release has no such value"
    assert not is_release(means("mean_clip", 0.5))
    assert not is_release([video_record(b"v", {"mean_rgb": [1.0], "mean_clip": [1.0]}, [1])])
    assert is_release([frame_record(b"v", {"rgb": np.zeros((2, 4), np.uint8)}, [1])])
    assert not is_release([frame_record(b"v", {"rgb": np.zeros((2, 4), np.float32)}, [1])])
    assert not is_release([frame_record(b"v", {"clip": np.zeros((2, 4), np.uint8)}, [1])])
