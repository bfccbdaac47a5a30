"""A data set in a bucket is opened with few requests, one after the other."""

import os
import threading

import pytest

from tests.support.bucket import requests
from tests.support.records import same, stream
from yt8m import listing
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.count import count_records
from yt8m.data.files.shards import find_shards, fingerprint
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.priors import label_priors
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import pack_shards


@pytest.fixture
def bucket(make):
    """Return the glob of 3,844 shards, which are one shard under many names."""
    path = make.shard("one.tfrecord", [make.video_payload(i) for i in range(20)])
    os.mkdir(make.folder / "train")
    for i in range(3844):
        os.link(path, make.folder / "train" / f"{i:04d}.tfrecord")
    return f"file://{make.folder}/train/*.tfrecord"


def test_what_comes_before_the_first_step_of_3844_shards(bucket):
    with requests(0.03) as asked, listing.asked_once():
        files = find_shards(bucket)
        schema, _ = find_schema(files, num_classes=10)
        assert count_records(files) == (3844 * 20, False)
        assert fingerprint(files)["shards"] == 3844
        assert find_shards(bucket) == files  # as the trainer does after the command
        label_priors(files, schema)
        assert pack_shards(files)
    assert asked.calls["glob"] == 1
    # Each shard once, a few of them again, and those of the priors when they are read.
    assert asked.calls["stat"] < 3844 + 3 + 260
    assert asked.calls["open"] <= 3 + 32 + 32 + 1  # both ends of 32 shards
    assert asked.calls["isdir"] == 0
    assert asked.calls["exists"] <= 4  # a vocabulary beside the shards
    assert asked.in_sequence < 200


def test_each_pass_asks_once_about_a_shard(make):
    local = make.shards("video", 100, 40)
    files = [f"file://{path}" for path in local]
    plain = stream(local, make.video, training=True, seed=1, batch_size=10)
    with requests() as asked:
        there = stream(files, make.video, training=True, seed=1, batch_size=10)
    same(there, plain)
    assert asked.calls == {"stat": 40}


def test_the_reader_does_not_wait_for_each_shard(make):
    files = [f"file://{path}" for path in make.shards("video", 128, 64)]
    with requests(0.05) as asked:
        stream(files, make.video, batch_size=10)
    assert asked.in_sequence < 20  # of 64


def test_the_threads_that_look_ahead_end_with_the_pass(make):
    files = [f"file://{path}" for path in make.shards("video", 60, 20)]
    before = set(threading.enumerate())
    batches = build_dataset(files, make.video, batch_size=10)
    for _ in range(2):  # as one data set is read in each epoch
        assert len(list(batches)) == 6
        begun = set(threading.enumerate()) - before
        for thread in (t for t in begun if t.name.startswith("ThreadPool")):
            thread.join(5)
            assert not thread.is_alive()


def test_a_task_asks_once_about_a_shard(make):
    files = [f"file://{path}" for path in make.shards("video", 12, 3)]
    with requests() as asked:
        (batch,) = RecordSource(make.video).batches(files, None, [])
    assert len(batch["id"]) == 12
    assert asked.calls == {"stat": 3, "open": 3}


def test_a_broken_record_in_a_bucket_is_counted(make, damage):
    (path,) = make.shards("video", 30, 1)
    damage(path, 7, "payload")
    bad = BadRecords(1)
    assert len(stream([f"file://{path}"], make.video, bad_records=bad)["id"]) == 29
    assert [b.file for b in bad.found] == [f"file://{path}"]
