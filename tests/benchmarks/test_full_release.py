"""The day with the full release: its shards, and how a step is run, killed and reported."""

import signal

import pytest
import tensorflow as tf

from benchmarks import full_release
from benchmarks.full_release import Step
from tests.support.records import rgb_audio_means
from yt8m.data.records.writers import write_shard

SCRIPT = """\
import sys, time
print("reading", flush=True)
print("step 1  loss 2.0", flush=True)
if "--wait" in sys.argv:
    print("500,000 videos", flush=True)
    time.sleep(60)
print("GAP 0.7 in", sys.argv[1])
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return str(path)


def test_every_record_of_every_shard_has_an_id_of_its_own(tmp_path):
    for split, first in (("train", 0), ("validate", 3)):
        records = [rgb_audio_means(first + i, [0.5] * 6, [i]) for i in range(3)]
        write_shard(str(tmp_path / "sample" / split / "a.tfrecord"), records)
    folder = tmp_path / "shards"
    full_release.make_shards(str(tmp_path / "sample"), folder, 5)
    shards = sorted(folder.iterdir())
    ids = []
    for path in shards:
        for record in tf.data.TFRecordDataset(str(path)):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            ids.append(feature["id"].bytes_list.value[0])
            assert list(feature["mean_rgb"].float_list.value) == [0.5] * 6
    assert len(shards) == 5
    assert len(ids) == len({*ids}) == 15
    assert {len(video) for video in ids} == {4}
    last = full_release._id(full_release.SHARDS - 1, 1999)
    assert len(last) == 4


def test_a_step_is_timed_and_quoted(tmp_path, script):
    step = Step("a", (script, "{place}"), moments=(("first step", r"\bstep 1\b"),), says="GAP")
    found = full_release.run(step, {"place": "here"}, 0.0, tmp_path / "log")
    assert found["code"] == 0
    assert found["says"] == ["GAP 0.7 in here"]
    assert 0 < found["moments"]["first step"] <= found["seconds"]
    assert "step 1" in (tmp_path / "log").read_text()


def test_a_step_is_killed_where_it_says_so(tmp_path, script):
    step = Step("a", (script, "x", "--wait"), -signal.SIGKILL, kill_at=r"^[5-9]\d\d,\d\d\d ")
    found = full_release.run(step, {}, 0.0, tmp_path / "log")
    assert found["code"] == -signal.SIGKILL
    assert found["says"] == []


def test_the_table_says_what_has_not_run():
    first = full_release.STEPS[0].name
    done = {"seconds": 121.2, "moments": {"first step": 11.6}, "peak_gb": 2.44, "code": 75}
    lines = full_release.table({first: done}).splitlines()
    assert lines[2] == f"| {first} | 2 min 01 s | 12 s | 2.4 GB | 75 |"
    assert all("not run" in line for line in lines[3:])
    assert len(lines) == 2 + len(full_release.STEPS)
