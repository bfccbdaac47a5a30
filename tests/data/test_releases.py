"""A release is recognized by all of its signs together; records that lack one belong to none."""

import dataclasses

import numpy as np
import pytest

from tests.support import clips
from yt8m.data.find_schema import find_schema
from yt8m.data.findings import Findings, look
from yt8m.data.num_classes import UnknownClasses
from yt8m.data.records.writers import video_record
from yt8m.data.releases import RELEASES, recognized
from yt8m.data.vocabulary import write_vocabulary
from yt8m.errors import UserError


def clip(labels=(3,), frames=10, width=128, **more) -> bytes:
    """Return a record in AudioSet's form."""
    return clips.clip(labels, [bytes(width)] * frames, **more)


def of_youtube_8m(**changed) -> Findings:
    known = Findings(
        "video",
        sizes={"mean_rgb": 1024, "mean_audio": 128},
        keys={"mean_rgb": "mean_rgb", "mean_audio": "mean_audio"},
        id_key="id",
        labels=[[3861]],
    )
    return dataclasses.replace(known, **changed)


def test_audioset_needs_no_flag(make):
    schema, line = find_schema([make.shard("x.tfrecord", [clip([3]), clip([526], frames=4)])])
    assert (schema.num_classes, schema.max_frames) == (527, 10)
    assert schema.feature_names == ("audio_embedding",)
    assert schema.video_names == ()  # the times say where the clip was cut, not what it shows
    assert "AudioSet, recognized by video_id, start_time_seconds" in line
    assert "at most 10 frames, labels below 527" in line
    assert find_schema([make.shard("x.tfrecord", [clip()])], max_frames=5)[0].max_frames == 5


@pytest.mark.parametrize(
    "other",
    [
        {"labels": [527]},
        {"frames": 11},
        {"width": 64},
        {"key": "audio"},
        {"context": False},
    ],
    ids=str,
)
def test_one_sign_against_audioset_is_enough(make, other):
    path = make.shard("x.tfrecord", [clip(**other)])
    with pytest.raises(UnknownClasses, match=r"of no release that is known.*Set --num_classes"):
        find_schema([path])
    assert find_schema([path], num_classes=600)[0].max_frames == 300


@pytest.mark.parametrize(
    ("changed", "release"),
    [
        ({}, "v3"),
        ({"id_key": "video_id"}, "v2"),
        ({"sizes": {"mean_rgb": 1024}, "id_key": "video_id"}, "v1"),
        ({"sizes": {"mean_rgb": 1024}}, "v3"),
        ({"sizes": {"mean_rgb": 1024, "mean_audio": 128, "duration": 1}}, "v3"),
        ({"labels": []}, "v3"),
        ({"labels": [[3862]]}, None),
        ({"sizes": {"mean_rgb": 1024, "mean_audio": 64}}, None),
        ({"sizes": {"mean_rgb": 2048}}, None),
        ({"sizes": {"mean_audio": 128}}, None),
        ({"id_key": ""}, None),
        ({"id_key": "clip/data_path"}, None),
    ],
    ids=str,
)
def test_signs_of_youtube_8m(changed, release):
    found = recognized(of_youtube_8m(**changed))
    assert (found[0].name if found else None) == release


def test_a_release_that_looks_like_any_other_is_never_recognized():
    assert RELEASES["sports1m"].signs(of_youtube_8m(labels=[[1]])) is None


def test_keys_count_as_signs_only_if_every_record_has_them():
    whole = look(clip())
    whole.add(look(clip(context=False)))
    assert recognized(whole) is None


def vocabulary(path, rows):
    write_vocabulary(str(path), [f"name {i}" for i in range(rows)], [1] * rows)


def records(make, label, width=1024):
    values = {"mean_rgb": np.zeros(width), "mean_audio": np.zeros(128)}
    return [make.shard("x.tfrecord", [video_record(b"a", values, [label])])]


def test_a_vocabulary_of_own_classes_decides(make, tmp_path):
    vocabulary(tmp_path / "vocabulary.csv", 20)
    assert find_schema(records(make, 19))[0].num_classes == 20


def test_a_vocabulary_that_the_labels_contradict_does_not_decide(make, tmp_path):
    vocabulary(tmp_path / "vocabulary.csv", 20)
    schema, line = find_schema(records(make, 20))
    assert schema.num_classes == 3862
    assert "vocabulary.csv has 20 rows and is of other records" in line
    with pytest.raises(UserError, match=r"label 20 occurs in .*--vocabulary_file"):
        find_schema(records(make, 20, width=512))
    with pytest.raises(UserError, match=r"label 20 occurs in .*vocabulary.csv has 20 rows"):
        find_schema(records(make, 20), vocabulary_file=str(tmp_path / "vocabulary.csv"))


def test_a_vocabulary_of_a_larger_data_set_does_not_decide(make, tmp_path):
    vocabulary(tmp_path / "vocabulary.csv", 3862)
    assert find_schema([make.shard("x.tfrecord", [clip()])])[0].num_classes == 527


def test_audioset_names_are_found(make, tmp_path):
    rows = "\n".join(f'{i},/m/{i},"name, {i}"' for i in range(527))
    (tmp_path / "class_labels_indices.csv").write_text(f"index,mid,display_name\n{rows}\n")
    _, line = find_schema([make.shard("x.tfrecord", [clip()])])
    assert "527 classes (the rows of" in line
    assert "class_labels_indices.csv" in line
