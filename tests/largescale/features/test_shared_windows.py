"""Processes of a node share the windows that one has read, and nobody waits for the dead."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tests.support.feature_stores import write_store
from yt8m.data.files.copies import FolderCopies
from yt8m.largescale.features import shared_windows
from yt8m.largescale.features.shard import Shard
from yt8m.largescale.features.shared_windows import KEPT, SharedWindows
from yt8m.largescale.features.store import FeatureStore

SHARDS, ROWS, D, K, B = 10, 30, 7, 5, 30
WINDOW = 4 * D * ROWS  # a shard


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "s"
    rng = np.random.default_rng(0)
    shards = []
    for i in range(SHARDS):
        labels = rng.random((ROWS, K)) < (0.4 if i else 0)
        shards.append((rng.normal(size=(ROWS, D)), labels, [b"%d" % j for j in range(ROWS)]))
    write_store(path, shards, K)
    return str(path)


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """Return the folder that stands for the node's memory; beside it is that of its disk."""
    for name in ("shm", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(shared_windows, "_MEMORY", str(tmp_path / "shm"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "shm"


@pytest.fixture
def reads(monkeypatch):
    """Return a list that receives the file of each part of a shard that is read."""
    found, original = [], Shard.read_into

    def counted(shard, out, low):
        found.append(shard.path)
        return original(shard, out, low)

    monkeypatch.setattr(Shard, "read_into", counted)
    return found


def opened(folder, shared_by="run"):
    """Return a store as another process of the node opens it."""
    return FeatureStore(folder, WINDOW, shared_by=shared_by)


def alone(folder, **more):
    return list(opened(folder, "").batches(B, 1, drop_remainder=False, **more))


def same(ours, expected):
    assert len(ours) == len(expected) == SHARDS
    for (x, y), (other_x, other_y) in zip(ours, expected):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def names(root):
    """Return the names of the files in a folder, but those that say who uses it."""
    found = [name for _, _, files in os.walk(root) for name in files]
    return sorted(name for name in found if not name.endswith(".user"))


def test_one_process_reads_a_window_for_all(folder, memory, reads):
    expected = alone(folder)
    reads.clear()
    passes = [opened(folder).batches(B, 1, drop_remainder=False) for _ in range(4)]
    together = list(zip(*passes))
    for ours in zip(*together):
        same(ours, expected)
    assert sorted(reads) == sorted(os.path.join(folder, f"{i:05d}.features") for i in range(SHARDS))
    assert [next(p, None) for p in passes] == [None] * 4
    assert names(memory.parent) == []


def test_a_slow_process_keeps_its_window_and_reads_what_is_gone(folder, memory, reads):
    expected = alone(folder)
    slow = opened(folder).batches(B, 1, drop_remainder=False)
    ours = [next(slow)]
    reads.clear()
    fast = opened(folder).batches(B, 1, drop_remainder=False)
    for number, _ in enumerate(fast):
        assert len(names(memory)) == min(number + 1, KEPT)
    assert len(reads) == SHARDS - 1
    same([*ours, *slow], expected)
    assert len(reads) == 2 * (SHARDS - 1)
    assert names(memory.parent) == []


def test_processes_that_are_few_windows_apart_share_all(folder, memory, reads):
    slow, fast = (opened(folder).batches(B, 1) for _ in range(2))
    for _ in range(KEPT - 1):
        next(fast)
    assert sum(1 for _ in zip(slow, fast)) == SHARDS - KEPT + 1
    list(slow)
    assert len(reads) == SHARDS


def test_a_process_that_is_ahead_waits_for_what_others_need_next(
    folder, memory, reads, monkeypatch
):
    took = property(lambda _: 30.0, lambda *_: None)  # seconds of a window, and so of patience
    monkeypatch.setattr(SharedWindows, "_took", took, raising=False)
    slow, taken = opened(folder).batches(B, 1), []
    next(slow)
    fast = opened(folder).batches(B, 1)
    ahead = threading.Thread(target=lambda: [taken.append(1) for _ in fast])
    ahead.start()
    for ahead_by in range(KEPT + 1, SHARDS):  # it is in another's next window but KEPT
        until = time.monotonic() + 20
        while len(taken) < ahead_by and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)  # in which it would go on
        assert len(taken) == ahead_by
        next(slow)
    ahead.join(30)
    assert sum(1 for _ in slow) == KEPT
    assert len(reads) == SHARDS
    # Of those that have ended or died it waits for none.
    assert len(list(opened(folder).batches(B, 2))) == SHARDS


def test_other_runs_epochs_and_stores_do_not_mix(folder, memory, reads, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    first = opened(folder).batches(B, 1)
    next(first)
    others = [(folder, "other", {}), (str(copy), "run", {}), (folder, "run", {"epoch": 1})]
    for where, run, more in others:
        expected = alone(where, **more)
        reads.clear()
        same(list(opened(where, run).batches(B, 1, drop_remainder=False, **more)), expected)
        assert len(reads) == SHARDS
    first.close()
    assert names(memory) == []


READS = """
import sys, time
from yt8m.largescale.features import shared_windows
from yt8m.largescale.features.shard import Shard
from yt8m.largescale.features.store import FeatureStore

def stuck(shard, out, low):
    print("reading", flush=True)
    time.sleep(100)

shared_windows._MEMORY, Shard.read_into = sys.argv[2], stuck
next(FeatureStore(sys.argv[1], int(sys.argv[3]), shared_by="run").batches(30, 1))
"""


def test_a_killed_reader_blocks_nobody_and_leaves_nothing(folder, memory, reads):
    expected = alone(folder)
    reads.clear()
    command = [sys.executable, "-c", READS, folder, str(memory), str(WINDOW)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline() == "reading\n"
        assert any(name.endswith(".partial") for name in names(memory))
        ours = []
        waiting = threading.Thread(
            target=lambda: ours.extend(opened(folder).batches(B, 1, drop_remainder=False))
        )
        waiting.start()
        waiting.join(0.3)
        assert (waiting.is_alive(), reads) == (True, [])  # it waits for the other's window
        reader.send_signal(signal.SIGKILL)
    waiting.join(30)
    same(ours, expected)
    assert len(reads) == SHARDS
    assert names(memory.parent) == []


def test_nobody_waits_long_for_a_reader_that_is_paused(folder, memory, reads, monkeypatch):
    monkeypatch.setattr(shared_windows, "_PATIENCE", 0.1)
    expected = alone(folder)
    original, begun = FolderCopies.begin, []

    def begin(copies, name, size):
        copy = original(copies, name, size)
        begun.append(copy) if copy else None
        return original(copies, name, size)  # which another process has begun

    monkeypatch.setattr(FolderCopies, "begin", begin)
    same(list(opened(folder).batches(B, 1, drop_remainder=False)), expected)
    assert len(begun) == SHARDS


def test_what_dead_runs_left_is_removed(folder, memory):
    next(opened(folder).batches(B, 1))
    (root,) = memory.iterdir()
    for left in ("with a lock", "without"):
        (root / left).mkdir()
        (root / left / "window").write_bytes(b"x" * 100)
    (root / "with a lock" / "x.user").touch()
    live = opened(folder, "another run").batches(B, 1)
    next(live)
    running = opened(folder).batches(B, 1)
    next(running)
    assert len(list(root.iterdir())) == 2
    for each in list(root.iterdir()):
        (each / "dead.user").touch()
    live.close()
    (left,) = root.iterdir()
    assert len(list(left.glob("*.user"))) == 1
    running.close()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("room", ["tmp", "none"])
def test_where_memory_has_no_room(room, folder, memory, reads, monkeypatch):
    """The folder of temporary files is next, and then each process reads for itself."""
    expected = alone(folder)
    reads.clear()
    allowed = str(memory.parent / room)
    monkeypatch.setattr(shared_windows, "_has_room", lambda root, _: root.startswith(allowed))
    two = [opened(folder).batches(B, 1, drop_remainder=False) for _ in range(2)]
    ours = [[next(passes)] for passes in two]
    assert names(memory) == []
    assert bool(names(memory.parent / "tmp")) == (room == "tmp")
    for both in zip(*two):
        for taken, batch in zip(ours, both):
            taken.append(batch)
    for taken, passes in zip(ours, two):
        same([*taken, *passes], expected)
    assert len(reads) == (SHARDS if room == "tmp" else 2 * SHARDS)
    assert names(memory.parent) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_place_that_fills_up_meanwhile(code, folder, memory, reads, monkeypatch):
    def full(*_):
        raise OSError(code, os.strerror(code))

    expected = alone(folder)
    monkeypatch.setattr(os, "posix_fallocate", full)
    passes = opened(folder).batches(B, 1, drop_remainder=False)
    ours = [next(passes)]
    assert names(memory) == []
    same([*ours, *passes], expected)
    assert names(memory) == []


def test_room_is_asked_for_before(folder, memory, monkeypatch):
    free = {"disk": 10**12, "memory": 10**12}
    usage = type("Usage", (), {"free": property(lambda _: free["disk"])})()
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    monkeypatch.setattr(shared_windows, "available_memory", lambda: free["memory"])
    in_memory, on_disk = str(memory / "x"), str(memory.parent / "tmp" / "x")
    assert shared_windows._has_room(in_memory, 1000)
    free["memory"] = 999
    assert not shared_windows._has_room(in_memory, 1000)
    assert shared_windows._has_room(on_disk, 1000)
    free["disk"] = 999
    assert not shared_windows._has_room(on_disk, 1000)
