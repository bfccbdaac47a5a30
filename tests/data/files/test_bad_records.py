"""Broken records are skipped and counted, and named if there are too many."""

import dataclasses

import numpy as np
import pytest

from tests.support.records import rgb_audio_frames, rgb_audio_means
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.pipeline import build_dataset, read_batches
from yt8m.data.records.writers import frame_record, video_record
from yt8m.errors import UserError


def read(files, schema, bad, **kwargs):
    with bad.explained(schema.num_classes):
        names = [
            b["id"].numpy()
            for b in build_dataset(files, schema, batch_size=8, bad_records=bad, **kwargs)
        ]
    return sorted(int(i[1:]) for i in np.concatenate(names))


# Of 3 shards of 100 records; record 70 of the second is video 211.
LOST = {"payload": {211}, "length": set(range(211, 300, 3)), "cut": set(range(211, 300, 3))}


@pytest.mark.parametrize("part", LOST)
def test_skipped_and_counted(make, damage, part):
    files = make.shards("video", 300, 3)
    at = damage(files[1], 70, part)
    bad = BadRecords(limit=1)
    assert read(files, make.video, bad) == [i for i in range(300) if i not in LOST[part]]
    assert [(b.file, b.offset) for b in bad.found] == [(files[1], at)]
    assert bad.summary().startswith(
        f"skipped 1 broken records; the first is in {files[1]} at byte {at}: "
    )


@pytest.mark.parametrize("part", LOST)
@pytest.mark.parametrize("level", ["video", "frame"])
def test_refused_at_limit_0_with_file_and_offset(make, damage, level, part):
    files = make.shards(level, 30, 3)
    at = damage(files[1], 5, part)
    with pytest.raises(UserError) as error:
        read(files, getattr(make, level), BadRecords(0))
    assert str(error.value).startswith(f"{files[1]} has a broken record at byte {at}: ")
    assert "--max_bad_records=0" in str(error.value)
    assert "\n" not in str(error.value)


def test_first_record_broken(make, damage):
    files = make.shards("frame", 30, 3)
    damage(files[0], 0, "payload")
    assert read(files, make.frame, BadRecords(1), training=True, drop_remainder=False) == list(
        range(1, 30)
    )


def test_limit_counts_each_record_once_over_epochs(make, damage):
    files = make.shards("video", 60, 3)
    damage(files[0], 3, "payload")
    damage(files[2], 8, "payload")
    bad = BadRecords(2)
    for epoch in range(3):
        assert (
            len(read(files, make.video, bad, training=True, epoch=epoch, drop_remainder=False))
            == 58
        )
    assert len(bad.found) == 2
    with pytest.raises(UserError, match="2 records are broken so far, but --max_bad_records=1"):
        read(files, make.video, BadRecords(1))


def test_a_copy_is_named_by_its_original(make, damage):
    files = make.shards("video", 30, 3)
    damage(files[1], 5, "payload")
    bad = BadRecords(1)
    read(files, make.video, bad, cache=RecordCache("memory"))
    assert bad.found[0].file == files[1]


def test_nothing_broken(make):
    bad = BadRecords()
    assert read(make.shards("video", 30, 3), make.video, bad) == list(range(30))
    assert bad.found == []
    assert bad.summary() == ""


def test_whole_record_that_cannot_be_parsed(make):
    wide = rgb_audio_frames(1, np.zeros((4, 14), np.uint8), [1], rgb=12)
    wrong = [
        (make.video, rgb_audio_means(1, np.zeros(7), [1], rgb=5)),
        (make.video, video_record(b"v1", {"mean_rgb": np.zeros(6)}, [1])),
        (make.frame, wide),
        (make.frame, b"\xff\xfe\xfd no example"),
    ]
    message = r"a record cannot be parsed.*--feature_names and --feature_sizes"
    for i, (schema, payload) in enumerate(wrong):
        with pytest.raises(UserError, match=message):
            read([make.shard(f"{i}.tfrecord", [payload])], schema, BadRecords())


@pytest.mark.parametrize("level", ["video", "frame"])
def test_label_beyond_classes(make, level):
    if level == "video":
        payload = rgb_audio_means(1, np.zeros(8), [4715])
    else:
        payload = rgb_audio_frames(1, np.zeros((4, 8), np.uint8), [4715])
    path = make.shard("x.tfrecord", [payload])
    message = "label 4715, but there are 10 classes, 0 to 9; set --num_classes"
    with pytest.raises(UserError, match=message):
        read([path], getattr(make, level), BadRecords())
    assert read([path], getattr(make, level), BadRecords(), beyond="drop") == [1]


def wrong_payloads(make, level):
    """Return whole records that cannot be parsed, with the problem of each."""
    if level == "video":
        narrow = rgb_audio_means(0, np.zeros(7), [1], rgb=5)
        lacking = video_record(b"w", {"mean_rgb": np.zeros(6)}, [1])
        problems = ["mean_rgb has 5 values, not 6", "no values of mean_audio"]
    else:
        x = np.zeros((4, 6), np.uint8)
        narrow = rgb_audio_frames(0, np.zeros((4, 7), np.uint8), [1], rgb=5)
        lacking = frame_record(b"w", {"rgb": x, "audio": x}, [1])
        problems = ["rgb has 5 values in frame 0, not 6", "audio has 6 values in frame 0, not 2"]
    return [
        (narrow, problems[0]),
        (lacking, problems[1]),
        (b"garbage \xff payload", "neither a tf.train.Example nor a SequenceExample"),
    ]


@pytest.mark.parametrize("level", ["video", "frame"])
def test_those_that_do_not_parse_are_skipped_and_named(make, level):
    payload = make.video_payload if level == "video" else make.frame_payload
    payloads, wrong = [payload(i) for i in range(40)], wrong_payloads(make, level)
    for at, (bad_one, _) in zip((9, 20, 33), wrong):
        payloads[at] = bad_one
    files = [make.shard("a.tfrecord", payloads[:30]), make.shard("b.tfrecord", payloads[30:])]
    places = [(files[n], make.offsets(files[n])[i]) for n, i in ((0, 9), (0, 20), (1, 3))]
    bad, schema = BadRecords(3), getattr(make, level)
    with bad.explained(10):
        seen = np.concatenate(
            [b["id"].numpy() for b in read_batches(files, schema, bad, batch_size=4)]
        )
    assert sorted(int(i[1:]) for i in seen) == [
        i for i in range(40) if i not in (9, 20, 33)
    ]  # each once
    assert [(b.file, b.offset) for b in bad.found] == places
    assert [b.problem for b in bad.found] == [problem for _, problem in wrong]
    assert read(files, schema, bad) == sorted(int(i[1:]) for i in seen)  # the next pass knows them
    strict = BadRecords(0)
    with (
        pytest.raises(
            UserError, match=f"{files[0]} has a broken record at byte {places[0][1]}: {wrong[0][1]}"
        ),
        strict.explained(10),
    ):
        list(read_batches(files, schema, strict, batch_size=4))


def test_segments_behind_a_record_that_does_not_parse_are_read(make):
    schema = dataclasses.replace(make.frame, segment_labels=True)
    payloads = [make.frame_payload(i, 12, segments=[(0, 1, 1.0), (5, 2, 1.0)]) for i in range(9)]
    payloads[5] = b"garbage payload"
    bad = BadRecords(1)
    seen = [
        i
        for b in read_batches([make.shard("x.tfrecord", payloads)], schema, bad, batch_size=4)
        for i in b["id"].numpy()
    ]
    assert seen == [b"v%d:%d" % (i, s) for i in range(9) if i != 5 for s in (0, 5)]


def test_a_label_beyond_is_no_broken_record(make):
    payloads = [make.video_payload(0), rgb_audio_means(1, np.zeros(8), [12])]
    path = make.shard("x.tfrecord", payloads)
    bad = BadRecords(5)
    with pytest.raises(UserError, match="label 12, but there are 10 classes"), bad.explained(10):
        list(read_batches([path], make.video, bad, batch_size=4))
    assert not bad.found


@pytest.mark.parametrize("cached", [False, True])
def test_a_missing_file_is_an_error_and_not_waited_for(make, tmp_path, cached):
    files = make.shards("video", 30, 3)
    gone = str(tmp_path / "gone.tfrecord")
    cache = RecordCache(str(tmp_path)) if cached else None
    with pytest.raises(UserError, match=f"{gone} no longer exists, or is not on this machine"):
        read([files[0], gone], make.video, BadRecords(5), cache=cache)
