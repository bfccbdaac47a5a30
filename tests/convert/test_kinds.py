"""Every kind of input becomes the same records, which inspect and the readers accept."""

import numpy as np
import pytest

from tests.convert.conftest import KINDS, LABELS, NAMES, frames_of
from tests.support.clips import clip
from tests.support.commands import refused, run_command
from tests.support.records import read
from yt8m.data.records.quantization import dequantize, quantize
from yt8m.data.records.writers import frame_record, write_shard
from yt8m.data.vocabulary import read_vocabulary


def converted(source, arguments, *flags):
    """Convert, inspect, and return the videos of the records by their id, and the schema."""
    out = source.parent / "out"
    ended = run_command("convert", *arguments, f"--out_dir={out}", *flags)
    assert ended.code == 0, ended.err
    whole = run_command("inspect", "--full", f"{out}/*.tfrecord")
    assert whole.code == 0, whole.out + whole.err
    assert "0 broken records" in whole.out
    schema, found = read(f"{out}/*.tfrecord")
    videos = {
        name.decode(): {key: values[row] for key, values in found.items()}
        for row, name in enumerate(found["id"])
    }
    return videos, schema, ended.out


@pytest.mark.parametrize("kind", KINDS)
def test_frames_labels_and_vocabulary(kind, source):
    videos, schema, said = converted(source, KINDS[kind](source))
    assert schema.feature_names == ("clip",)
    assert (schema.level, schema.float_frames, schema.num_classes) == ("frame", True, 3)
    assert sorted(videos) == sorted(f"v{i}" for i in range(12))
    for i, names in enumerate(LABELS):
        video = videos[f"v{i}"]
        count = len(frames_of(i))
        assert video["num_frames"] == count
        np.testing.assert_allclose(video["frames"][:count], frames_of(i), atol=2e-3)
        assert [NAMES[n] for n in np.flatnonzero(video["labels"])] == sorted(names)
    written = read_vocabulary(str(source.parent / "out" / "vocabulary.csv"))
    assert written.names == tuple(NAMES)
    assert written.counts.sum() in range(15, 19), "of the 11 training videos"
    assert "12 videos: frame-level records with clip (5); 3 classes; 11 to train, 1 to" in said
    assert said.rstrip().endswith("--max_frames=4")


@pytest.mark.parametrize("kind", ["npy", "parquet"])
def test_means(kind, source):
    videos, schema, said = converted(source, KINDS[kind](source), "--level=video")
    assert (schema.level, schema.feature_names) == ("video", ("mean_clip",))
    for i in range(12):
        np.testing.assert_allclose(videos[f"v{i}"]["video"], frames_of(i).mean(0), atol=1e-6)
    assert "--model=MoeModel" in said


def test_a_table_of_means_without_ids_and_labels(source):
    rows = [f"{i},{i + 1},{-i}" for i in range(5)]
    (source / "x.csv").write_text("x0,x1,age\n" + "\n".join(rows) + "\n")
    arguments = [f"{source}/x.csv", "--rename=x:mean_x", "--validate_fraction=0"]
    out = f"--out_dir={source.parent}/out"
    ended = run_command("convert", *arguments, out, "--test_fraction=1")
    assert ended.code == 0, ended.err
    assert "no video has labels" in ended.out
    assert "yt8m train" not in ended.out
    schema, found = read(f"{source.parent}/out/test*.tfrecord", num_classes=2)
    assert schema.feature_names == ("mean_x",), "age is no feature: it has no number in its name"
    assert sorted(found["video"].tolist()) == [[i, i + 1] for i in range(5)]


def test_bytes_stay_bytes_and_audiosets_feature_gets_its_official_name(source):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (10, 128), dtype=np.uint8) for _ in range(4)]
    records = [clip([i, 9], f, b"v%d" % i) for i, f in enumerate(frames)]
    write_shard(f"{source}/a.tfrecord", records)
    videos, schema, _ = converted(source, [f"{source}/a.tfrecord", "--validate_fraction=0.25"])
    assert (schema.feature_names, schema.float_frames) == (("audio",), False)
    assert schema.num_classes == 527, "of the release, whatever the labels"
    np.testing.assert_array_equal(videos["v2"]["frames"][:10], frames[2])


def test_mediapipes_features_of_the_release_become_its_bytes(source):
    q = np.random.default_rng(0).integers(0, 256, (3, 1024), dtype=np.uint8)
    features = {"RGB/feature/floats": dequantize(q), "AUDIO/feature/floats": np.zeros((3, 128))}
    for i in range(2):
        (source / f"v{i}.pb").write_bytes(frame_record(b"", features, [1], id_key="other"))
    videos, schema, _ = converted(source, [f"{source}/*.pb", "--validate_fraction=0.5"])
    assert (schema.feature_names, schema.float_frames) == (("rgb", "audio"), False)
    np.testing.assert_array_equal(videos["v1"]["frames"][:3, :1024], q)
    assert videos["v0"]["frames"][0, 1024] == quantize(np.zeros(1))[0]


def clips_of_mediapipe(source, values):
    for i in range(4):
        features = {"RGB/feature/floats": values, "AUDIO/feature/floats": np.zeros((3, 128))}
        (source / f"v{i}.pb").write_bytes(frame_record(b"", features, [1], id_key="other"))
    return [f"{source}/*.pb", "--validate_fraction=0.5"]


def test_values_that_the_releases_bytes_do_not_hold_are_counted(source):
    values = np.zeros((3, 1024))
    values[1, :100] = 5
    _, _, said = converted(source, clips_of_mediapipe(source, values))
    assert "400 of the 12,288 values of rgb are beyond -2 to 2.02" in said
    assert "audio are" not in said


def test_values_that_are_no_numbers_do_not_become_bytes(source):
    values = np.zeros((3, 1024))
    values[1, 7] = np.nan
    said = refused("convert", *clips_of_mediapipe(source, values), f"--out_dir={source}/out")
    assert "1 of the 3072 values of rgb are NaN or infinite" in said


def test_a_missing_extra(source, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (source / "a.parquet").write_bytes(b"")
    said = refused("convert", f"{source}/a.parquet", f"--out_dir={source}/out")
    assert "pip install 'yt8m[parquet]'" in said
