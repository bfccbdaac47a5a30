"""The index has the place, id and labels of each whole record, and can be saved."""

import subprocess
import sys

import numpy as np
import pytest

from yt8m.data.balanced import BalancedRecords
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import read_batches
from yt8m.data.record_index import build_index, load_index, save_index
from yt8m.errors import UserError


@pytest.mark.parametrize("level", ["video", "frame"])
def test_every_record_is_found_by_its_place(make, level):
    files = make.shards(level, 57, 3)
    index = build_index(files, level, 10)
    assert index.num_records == 57
    payload = make.video_payload if level == "video" else make.frame_payload
    videos = [int(i[1:]) for i in index.ids.tolist()]
    assert sorted(videos) == list(range(57))
    assert videos == sorted(videos, key=lambda i: (i % 3, i))
    for i, video in enumerate(videos):
        assert index.labels[i].tolist() == make.labels(video)
    some = np.array([50, 3, 3, 20])  # in any order, and one of them twice
    found = BalancedRecords(index, files, BadRecords()).read(some)
    assert found.tolist() == [payload(videos[i]) for i in some]


def test_by_class(make):
    index = build_index(make.shards("video", 57, 3), "video", 10)
    records = index.by_class()
    for c in range(10):
        assert records[c].tolist() == [i for i in range(57) if c in index.labels[i]]
    np.testing.assert_array_equal(index.positives(), records.lengths())


def test_broken_records_are_left_out_and_counted_and_what_follows_is_found(make, damage):
    files = make.shards("video", 40, 2)
    damage(files[0], 7, "payload")
    bad = BadRecords(5)
    index = build_index(files, "video", 10, bad)
    assert index.num_records == 39
    assert len(bad.found) == 1
    assert b"v14" not in index.ids.tolist()
    last = np.flatnonzero(index.ids == b"v38")
    assert BalancedRecords(index, files, bad).read(last).tolist() == [make.video_payload(38)]
    with pytest.raises(UserError, match="broken record at byte"):
        build_index(files, "video", 10)


@pytest.mark.parametrize("level", ["video", "frame"])
@pytest.mark.parametrize("garbage", [b"garbage payload", b"garbage \xff payload"])
def test_whole_records_that_do_not_parse_are_left_out_and_counted(make, level, garbage):
    payload = make.video_payload if level == "video" else make.frame_payload
    files = [make.shard("x.tfrecord", [garbage if i == 20 else payload(i) for i in range(30)])]
    bad = BadRecords(1)
    index = build_index(files, level, 10, bad)
    assert index.num_records == 29
    assert b"v20" not in index.ids.tolist()
    assert BalancedRecords(index, files, bad).read(np.array([28])).tolist() == [payload(29)]
    assert [b.offset for b in bad.found] == [make.offsets(files[0])[20]]
    list(
        read_batches(files, getattr(make, level), bad, batch_size=4)
    )  # which meets it again, and counts it once
    assert len(bad.found) == 1
    with pytest.raises(
        UserError, match=r"x.tfrecord has a broken record at byte .*: cannot be parsed"
    ):
        build_index(files, level, 10)


# The exceptions of TensorFlow's operations take a while to make, in which other threads go on.
SLOW = """
import sys
import time

import yt8m.process.quiet
from tensorflow.python.eager import core
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.record_index import build_index


def init(error, *arguments):
    time.sleep(0.02)
    make(error, *arguments)


make, core._NotOkStatusException.__init__ = core._NotOkStatusException.__init__, init
print(build_index(sys.argv[1:], "video", 10, BadRecords(99)).num_records)
"""


def test_shards_that_end_or_fail_at_once_do_not_wait_for_one_another_for_ever(make):
    some = [b"garbage", *(make.video_payload(i) for i in range(9)), b"garbage"]
    files = [make.shard(f"{i}.tfrecord", some) for i in range(16)]
    command = [sys.executable, "-c", SLOW, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["144"]), done.stderr


def test_a_label_beyond_the_classes_is_the_users_mistake(make):
    with pytest.raises(UserError, match="label 9, but there are 9 classes"):
        build_index(make.shards("video", 40, 2), "video", 9)


def test_saved_and_loaded_for_the_same_shards_only(make, tmp_path):
    files = make.shards("video", 40, 2)
    index, path = build_index(files, "video", 10), str(tmp_path / "index.npz")
    assert load_index(path, files, 10) is None
    save_index(index, path)
    again = load_index(path, files, 10)
    for name in ("shard", "offset", "size", "ids"):
        np.testing.assert_array_equal(getattr(again, name), getattr(index, name))
    np.testing.assert_array_equal(again.labels.values, index.labels.values)
    np.testing.assert_array_equal(again.labels.starts, index.labels.starts)
    assert again.labels.values.dtype == np.int32
    assert load_index(path, files[:1], 10) is None
    assert load_index(path, files, 11) is None
