"""Figures are measured once; the clips of the new classes are those that have them."""

import json

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.results_file import Results
from benchmarks.tuning import classes
from benchmarks.tuning.__main__ import table
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.writers import frame_record, write_shard


def test_a_figure_is_measured_once(tmp_path):
    for _ in range(2):
        Results(tmp_path / "results.json").get("a", iter([1, 2]).__next__)
    results = Results(tmp_path / "results.json")
    results.get("a", lambda: pytest.fail("it was measured again"))
    assert json.loads((tmp_path / "results.json").read_text()) == {"a": 1}


def test_a_table_has_the_mean_and_each_seed():
    assert table({"new": [{"GAP": 0.5, "MAP": 0.25}, {"GAP": 0.7, "MAP": 0.75}]}) == [
        "|  | GAP (seeds) | MAP (seeds) |",
        "| --- | --- | --- |",
        "| new | 0.6000 (0.5000, 0.7000) | 0.5000 (0.2500, 0.7500) |",
    ]


@pytest.fixture
def audioset(tmp_path):
    """Return a folder of clips; clip i has the label i, and each third one the label 26 as well."""
    for split in ("train", "validate"):
        records = (
            frame_record(
                b"c%d" % i,
                {"audio_embedding": np.full((2, 128), i % 256, np.uint8)},
                sorted({i, *([26] if i % 3 == 0 else [])}),
                id_key="video_id",
                of_video={"start_time_seconds": [0.0], "end_time_seconds": [2.0]},
            )
            for i in range(527)
        )
        write_shard(str(tmp_path / "audioset" / split / "0.tfrecord"), records)
    return str(tmp_path / "audioset")


def read(path):
    """Return the first byte of each clip, its labels, and the number of classes."""
    schema, _ = find_schema([path])
    batches = list(build_dataset([path], schema, batch_size=600))
    frames, labels = (np.concatenate([b[key] for b in batches]) for key in ("frames", "labels"))
    return frames[:, 0, 0], [np.flatnonzero(row).tolist() for row in labels], schema.num_classes


def test_old_and_new_classes_share_no_clip(audioset, tmp_path):
    old = classes.old_clips(audioset, tmp_path)
    train, rest = classes.new_clips(audioset, tmp_path, seed=0)
    _, labels, count = read(old)
    assert count == 517
    without = [i for i in range(527) if i % 3 and i not in classes.NEW]
    assert labels == [[classes.OLD.index(i)] for i in without]
    first, labels, count = read(rest)
    assert count == 10
    assert len(labels) == 527 - len(without)
    assert labels[:2] == [[0], [0]]
    assert [0, 1] in labels  # clip 78
    first, labels, _ = read(train)
    assert sum(each == [0] for each in labels) == classes.CLIPS
    assert sorted(i for each in labels for i in each if i) == [*range(1, 10)]
    again = [*tf.data.TFRecordDataset(classes.new_clips(audioset, tmp_path / "b", seed=0)[0])]
    assert again == [*tf.data.TFRecordDataset(train)]
    assert [*first] != [*read(classes.new_clips(audioset, tmp_path / "b", seed=1)[0])[0]]
