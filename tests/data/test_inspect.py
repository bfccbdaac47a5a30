"""The command reports the contents of files, and every broken record."""

import subprocess
import sys

import numpy as np
import pytest

from tests.support.records import rgb_audio_frames, rgb_audio_means
from yt8m.data.inspect import main
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import video_record


def test_report(make, capsys):
    files = make.shards("frame", 30, 2)
    assert main([*files, "--full"]) == 0
    out = capsys.readouterr().out
    assert "2 files" in out
    assert "30 records" in out
    assert "0 broken records" in out
    assert "id key: id" in out
    mean = np.mean([len(make.labels(i)) for i in range(30)])
    assert (
        f"labels: {mean:.2f} per video, 10 classes seen, the highest is 9 (of 30 records examined)"
        in out
    )
    assert "frames: 4 to 14 per video" in out
    assert "values of rgb: from -1.992 to 2.008, means " in out
    assert "training normalizes them as each model does for a release" in out


def test_report_says_label_beyond(make, capsys):
    labels = [3861] * 30 + [3862]  # the last one is not among the records from which K is found
    records = [rgb_audio_means(i, np.zeros(1152), [c], rgb=1024) for i, c in enumerate(labels)]
    assert main([make.shard("x.tfrecord", records), "--full"]) == 0
    assert "label 3862 is beyond the 3862 classes: set --num_classes" in capsys.readouterr().out


def test_labels_that_no_training_takes_are_described(make, capsys):
    """The flags of training are none of this command's."""
    records = [rgb_audio_means(i, np.zeros(6), [-3, 10**12]) for i in range(2)]
    (make.folder / "vocabulary.csv").write_text("Index,Name\n0,jazz\n")
    path = make.shard("x.tfrecord", records)
    for arguments in ([path], [path, "--full"]):
        assert main(arguments) == 0
        out = capsys.readouterr().out
        assert "vocabulary.csv has 1 rows and is of other records, so training needs" in out
        assert "label -3 is below 0: no training takes it" in out
        assert "label 1000000000000 is beyond the 1,000,000 possible classes" in out


def test_records_of_no_release_are_reported_all_the_same(make, capsys):
    assert main([make.shard("x.tfrecord", [rgb_audio_means(0, np.zeros(6), [7])])]) == 0
    out = capsys.readouterr().out
    assert "8 classes (by the labels seen; the records are of no known release" in out


def test_the_values_of_own_features(make, capsys):
    x = np.array([[2.5, 1.0], [8.0, 1.0]])
    records = [video_record(b"v%d" % i, {"own": row}, [1]) for i, row in enumerate(x)]
    assert main([make.shard("x.tfrecord", records)]) == 0
    out = capsys.readouterr().out
    assert "values of own: from 1 to 8, means 1 to 5.25, spreads 0 to 2.75; 1 of 2 have one" in out
    assert "training standardizes them: they are no release's" in out


@pytest.mark.parametrize("part", ["payload", "length"])
@pytest.mark.parametrize("index", [0, 4])
def test_full_lists_the_broken(make, damage, capsys, part, index):
    files = make.shards("video", 20, 2)
    at = damage(files[1], index, part)
    assert main([*files, "--full"]) == 1
    out = capsys.readouterr().out
    assert f"broken: {files[1]} at byte {at}: " in out
    assert "1 broken records" in out


@pytest.mark.parametrize("level", ["video", "frame"])
def test_full_lists_what_does_not_parse(make, capsys, level):
    if level == "video":
        payload, narrow = make.video_payload, rgb_audio_means(0, np.zeros(7), [1], rgb=5)
    else:
        frames = np.zeros((3, 7), np.uint8)
        payload, narrow = make.frame_payload, rgb_audio_frames(0, frames, [1], rgb=5)
    payloads = [payload(i) for i in range(19)]
    payloads[1:1] = [narrow]
    payloads[19:19] = [b"garbage payload"]
    path = make.shard("x.tfrecord", payloads)
    starts = np.cumsum([0] + [len(p) + 16 for p in payloads])
    assert main([path, "--full"]) == 1
    out = capsys.readouterr().out
    key, where = ("mean_rgb", "") if level == "video" else ("rgb", " in frame 0")
    assert f"broken: {path} at byte {starts[1]}: {key} has 5 values{where}, not 6" in out
    assert (
        f"broken: {path} at byte {starts[19]}: neither a tf.train.Example nor a SequenceExample"
        in out
    )
    assert "2 broken records" in out
    assert "(of 19 records examined)" in out


def test_full_lists_values_that_are_not_finite(make, capsys):
    x = np.zeros(8)
    x[[1, 7]] = np.nan, np.inf
    path = make.shard("video.tfrecord", [make.video_payload(0), rgb_audio_means(1, x, [1])])
    assert main([path, "--full"]) == 1
    assert (
        f"at byte {len(make.video_payload(0)) + 16}: 2 of 8 values are NaN or infinite"
        in capsys.readouterr().out
    )
    frames = dequantize(make.frame_values(0, 5))
    frames[2, 3] = np.nan
    path = make.shard("frame.tfrecord", [rgb_audio_frames(1, frames, [1])])
    assert main([path, "--full"]) == 1
    assert "at byte 0: 1 of 40 values are NaN or infinite" in capsys.readouterr().out


def test_full_reads_rated_segments(make, capsys):
    path = make.shard(
        "x.tfrecord",
        [make.frame_payload(i, segments=[(0, 1, 1.0)]) for i in range(3)] + [make.frame_payload(4)],
    )
    assert main([path, "--full"]) == 0
    assert "0 broken records" in capsys.readouterr().out


def test_a_pattern_that_matches_nothing_is_a_users_mistake(tmp_path, capsys):
    assert main([str(tmp_path / "nothing")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: PATTERN=")
    assert "matches no file" in error


def test_as_a_process(make, damage):
    files = make.shards("video", 20, 2)
    at = damage(files[1], 0, "payload")
    command = [sys.executable, "-m", "yt8m.data.inspect", "--full", *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"broken: {files[1]} at byte {at}" in done.stdout
    assert "video-level records with mean_rgb (6)" in done.stdout
