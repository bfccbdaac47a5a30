"""Features like a release's pass, and each mistake in making them gets its sentence."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.conformance.__main__ import main
from yt8m.data.records.quantization import quantize
from yt8m.data.records.writers import frame_record, video_record, write_shard

VIDEOS, FRAMES, D = 400, 3, 64
RNG = np.random.default_rng(7)
MEAN = RNG.normal(scale=0.2, size=D)
# A component of a PCA has a spread and a skewness of its own: here those of a gamma distribution.
SPREAD, SHAPE = RNG.uniform(0.2, 0.6, size=D), RNG.uniform(0.5, 12.0, size=D)
SIGN = RNG.choice([-1, 1], size=D)


def frames(seed):
    """Return frames of videos [VIDEOS, FRAMES, D] that the release might have."""
    rng = np.random.default_rng(seed)
    skewed = (rng.gamma(SHAPE, size=[VIDEOS, 1, D]) - SHAPE) / np.sqrt(SHAPE)
    return MEAN + SPREAD * SIGN * skewed + 0.2 * rng.normal(size=[VIDEOS, FRAMES, D])


def write(path, values, level="frame"):
    def record(i, x):
        if level == "video":
            return video_record(b"v%d" % i, {"mean_rgb": x.mean(axis=0)}, [0])
        x = quantize(x) if level == "frame" else x.astype(np.float32)
        return frame_record(b"v%d" % i, {"rgb": x}, [0])

    write_shard(str(path), [record(i, x) for i, x in enumerate(values)])
    return str(path)


@pytest.fixture(scope="module")
def like(tmp_path_factory):
    """A file with the statistics of the release."""
    folder = tmp_path_factory.mktemp("release")
    shard = write(folder / "release.tfrecord", frames(1))
    assert main([shard, f"--save={folder}/release.json"]) == 0
    return f"{folder}/release.json"


def said(capsys, path, like):
    code = main([path, f"--like={like}"])
    text = capsys.readouterr().out
    return code, text.splitlines()[-1], text


@pytest.mark.parametrize("level", ["frame", "video", "floats"])
def test_other_records_of_the_release_pass_at_each_level(like, tmp_path, capsys, level):
    path = write(tmp_path / "x.tfrecord", frames(2), level)
    code, last, text = said(capsys, path, like)
    assert code == 0, text
    assert last.startswith("nothing distinguishes")
    assert main([path, f"--like={like}", "--max_records=0"]) == 0
    assert capsys.readouterr().out == text
    assert "400 videos; spreads correlate at 0.9" in text


def signs(x):
    return x * np.where(np.arange(D) % 2, 1, -1)


MISTAKES = {
    "they were taken after a ReLU": lambda x: np.maximum(x, 0),
    "the values are reversed": lambda x: x[..., ::-1],
    "or their order is another": lambda x: np.roll(x, 5, axis=-1),
    "directions have other signs": signs,
    "times the release's: it was scaled otherwise": lambda x: 0.2 * x,
    "the PCA was not whitened": lambda x: x * np.linspace(2.0, 0.1, D),
    "are the same in all videos": lambda x: np.where(np.arange(D) < 3, 0.5, x),
    "spreads: another mean was subtracted": lambda x: x + 1.0,
    "has 16 values, and the release has 64": lambda x: x[..., :16],
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_each_mistake_gets_its_sentence(like, tmp_path, capsys, sentence):
    path = write(tmp_path / "x.tfrecord", MISTAKES[sentence](frames(2)), "floats")
    code, _, text = said(capsys, path, like)
    assert code == 1
    assert sentence in text


def test_values_at_the_ends_of_the_range_get_their_sentence(like, tmp_path, capsys):
    values = frames(2)
    values[:, ::2] = np.where(values[:, ::2] > MEAN, 9, -9)
    code, _, text = said(capsys, write(tmp_path / "x.tfrecord", values), like)
    assert code == 1
    assert "are at the ends of the range" in text


def test_a_mistake_of_the_user_is_explained(like, tmp_path, capsys):
    path = write(tmp_path / "x.tfrecord", frames(2)[:3])
    assert main([path, "--like=v9"]) == 2
    assert "--like=v9 is neither a release (v3, audioset) nor a file" in capsys.readouterr().err
    (tmp_path / "other.json").write_text('{"rgb": {"no": 1}}')
    assert main([path, f"--like={tmp_path}/other.json"]) == 2
    assert main([f"{tmp_path}/none*"]) == 2
    assert main([path, "--like=audioset"]) == 1
    assert "the records have no feature of audioset." in capsys.readouterr().out


def test_the_same_features_of_other_videos_are_not_taken_for_another_order(like, tmp_path, capsys):
    rng = np.random.default_rng(0)
    values = MEAN + (frames(2) - MEAN) * rng.permutation(np.linspace(0.4, 1.8, D))
    code, _, text = said(capsys, write(tmp_path / "x.tfrecord", values, "floats"), like)
    assert code == 0, text
    swapped = write(tmp_path / "y.tfrecord", np.roll(values, 5, axis=-1), "floats")
    assert said(capsys, swapped, like)[0] == 1


SAMPLES = {
    "v3": ("YT8M_SAMPLE_DIR", ("train", "validate")),
    "audioset": ("YT8M_AUDIOSET_DIR", ("train", "validate")),
}


@pytest.mark.parametrize("release", SAMPLES)
def test_real_records_are_like_their_release(release, capsys):
    variable, splits = SAMPLES[release]
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"${variable} names no folder of real records")
    for split in splits:
        flags = [f"--like={release}", "--max_records=300"]
        assert main([f"{folder}/{split}/*.tfrecord", *flags]) == 0, capsys.readouterr().out


def test_the_stored_releases_have_the_widths_of_their_features():
    folder = os.path.dirname(os.path.abspath(main.__wrapped__.__globals__["__file__"]))
    with open(os.path.join(folder, "releases.json"), encoding="utf-8") as source:
        stored = json.load(source)
    widths = {
        name: {key: len(value["mean"]) for key, value in release["features"].items()}
        for name, release in stored.items()
    }
    assert widths == {"v3": {"rgb": 1024, "audio": 128}, "audioset": {"audio_embedding": 128}}


def test_broken_frames_are_left_out_and_counted(tmp_path, caplog):
    good = frames(1)[:3]
    records = [frame_record(b"v%d" % i, {"rgb": quantize(x)}, [0]) for i, x in enumerate(good)]
    for damage in ("no value", "another width", "not finite"):
        x = good[0].astype(np.float32) if damage == "not finite" else quantize(good[0])
        record = tf.train.SequenceExample.FromString(frame_record(b"v9", {"rgb": x}, [0]))
        step = record.feature_lists.feature_list["rgb"].feature[1]
        if damage == "no value":
            del step.bytes_list.value[:]
        elif damage == "another width":
            step.bytes_list.value[0] = b"123"
        else:
            step.float_list.value[0] = np.nan
        records.append(record.SerializeToString())
    write_shard(f"{tmp_path}/x.tfrecord", records)
    assert main([f"{tmp_path}/x.tfrecord", f"--save={tmp_path}/x.json"]) == 0
    assert "3 broken records, first" in caplog.text
    with open(f"{tmp_path}/x.json") as file:
        saved = json.load(file)["rgb"]
    assert saved["videos"] == 3
    assert np.isfinite(saved["mean"]).all()


def test_features_that_were_not_compared_are_named(like, tmp_path, capsys):
    with open(like) as file:
        both = json.load(file)
    both["audio"] = both["rgb"]
    (tmp_path / "both.json").write_text(json.dumps(both))
    path = write(tmp_path / "x.tfrecord", frames(2))
    _, last, _ = said(capsys, path, str(tmp_path / "both.json"))
    assert "but for audio, which the records do not have: nothing was compared" in last
