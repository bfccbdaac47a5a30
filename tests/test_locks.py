"""Locks of outputs: one process at a time, and none that outlives its process."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from yt8m import locks
from yt8m.errors import UserError
from yt8m.locks import lock_file
from yt8m.locks.owner import Owner

HOLDER = """
import sys, time
from yt8m import locks
locks.take(sys.argv[1], "it")
print("held", flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def holder(lock):
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"held\n"
        yield child
    finally:
        child.kill()
        child.wait()


def owner(**changes):
    return Owner(**{**Owner.this_process().__dict__, "token": "another", **changes})


def elsewhere(**changes):
    return owner(machine="of another boot", host="far", **changes)


def test_another_process_is_refused_until_it_is_killed(tmp_path, capsys):
    lock = locks.beside(str(tmp_path / "scores/"))
    assert lock == str(tmp_path / "scores.lock")
    with holder(lock) as child:
        with pytest.raises(locks.Locked) as refused, locks.held(lock, "--output_scores=scores"):
            pass
        assert f"another process is writing --output_scores=scores: process {child.pid} (`" in str(
            refused.value
        )
        assert "name another output" in str(refused.value)
        os.kill(child.pid, signal.SIGKILL)
        while Owner.from_bytes(pathlib.Path(lock).read_bytes()).is_running():
            time.sleep(0.01)  # It is not waited for yet: a zombie has ended, too.
        with locks.held(lock, "--output_scores=scores"):
            said = capsys.readouterr().out
            assert f"took over the lock {lock} of process {child.pid} (`" in said
            assert said.endswith("which has ended without giving it back\n")
    assert not os.listdir(tmp_path)


def test_this_process_does_not_write_an_output_twice(tmp_path):
    lock = locks.inside(str(tmp_path))
    for again in range(2):
        with locks.held(lock, "it"), pytest.raises(locks.Locked, match="this process is already"):
            locks.take(os.path.join(str(tmp_path), ".", locks.IN_FOLDER), f"it {again}")
    locks.take(lock, "it", until_exit=True)
    locks.take(lock, "it", until_exit=True)
    locks.release(lock)
    assert not os.listdir(tmp_path)


def test_a_number_of_a_process_that_was_given_again_does_not_count(tmp_path, capsys):
    lock = tmp_path / "x.lock"
    lock.write_bytes(owner(started="1").to_bytes())
    with locks.held(str(lock), "x"):
        assert "has ended" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[" * 10000, b"{}", b'{"pid": 1e400}'])
def test_a_damaged_lock_is_taken_over(tmp_path, capsys, monkeypatch, content):
    monkeypatch.setattr(lock_file, "_WRITTEN_WITHIN", 0.2)
    lock = tmp_path / "x.lock"
    lock.write_bytes(content)
    with locks.held(str(lock), "x"):
        assert f"took over the lock {lock}, which is damaged" in capsys.readouterr().out


def test_a_lock_that_is_about_to_be_written_is_waited_for(tmp_path):
    lock = tmp_path / "x.lock"
    lock.write_bytes(b"")
    threading.Timer(0.3, lambda: lock.write_bytes(owner().to_bytes())).start()
    with pytest.raises(locks.Locked):
        locks.take(str(lock), "x")


@pytest.mark.parametrize("make", [os.mkdir, lambda path: os.symlink(path, path)])
def test_what_is_no_file_is_named(tmp_path, make):
    lock = tmp_path / "x.lock"
    make(lock)
    with pytest.raises(UserError, match=r"x\.lock stands where the lock of --out=x is to be"):
        locks.take(str(lock), "--out=x")


def test_another_machine_that_is_silent_is_taken_over(tmp_path, capsys):
    lock = tmp_path / "x.lock"
    lock.write_bytes(elsewhere().to_bytes())
    old = time.time() - 61
    os.utime(lock, (old, old))
    with locks.held(str(lock), "x"):
        assert "on far (`" in (said := capsys.readouterr().out)
        assert "has given no sign of life for 60 s" in said


def test_another_machine_is_waited_for_until_it_is_silent_for_long(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lock_file, "SILENT_FOR", 0.4)
    lock = tmp_path / "x.lock"
    lock.write_bytes(elsewhere().to_bytes())
    with locks.held(str(lock), "x"):
        assert "waiting up to" in capsys.readouterr().out


def test_another_machine_that_touches_its_lock_is_refused(tmp_path):
    lock = tmp_path / "x.lock"
    lock.write_bytes(elsewhere().to_bytes())
    threading.Timer(0.3, lambda: os.utime(lock, (time.time() + 1,) * 2)).start()
    with pytest.raises(locks.Locked, match=r"on far .* delete .*x\.lock"):
        locks.take(str(lock), "x")


def test_whoever_has_a_lock_touches_it(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "TOUCHED_EVERY", 0.05)
    monkeypatch.setattr(locks, "_toucher", [])
    lock = tmp_path / "x.lock"
    with locks.held(str(lock), "x"):
        os.utime(lock, (0, 0))
        end = time.monotonic() + 5
        while not lock.stat().st_mtime and time.monotonic() < end:
            time.sleep(0.02)
        assert lock.stat().st_mtime > 0


def test_of_many_that_find_a_lock_abandoned_one_gets_it(tmp_path):
    lock = tmp_path / "x.lock"
    for _ in range(20):
        lock.write_bytes(owner(started="1").to_bytes())
        tokens, ready = [], threading.Barrier(6)

        def take(tokens=tokens, ready=ready):
            ready.wait()
            with contextlib.suppress(locks.Locked):
                tokens.append(lock_file.create(str(lock), "x"))

        threads = [threading.Thread(target=take) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [json.loads(lock.read_bytes())["token"]] == tokens
        lock.unlink()


def test_the_lock_of_another_is_not_removed(tmp_path):
    lock = tmp_path / "x.lock"
    with locks.held(str(lock), "x"):
        lock.write_bytes(owner().to_bytes())
    assert lock.exists()


def test_folders_that_stay_empty_are_removed(tmp_path):
    with locks.held(locks.inside(str(tmp_path / "a/b")), "x"):
        assert (tmp_path / "a/b").is_dir()
    assert not os.listdir(tmp_path)
    with locks.held(locks.inside(str(tmp_path / "a/b")), "x"):
        (tmp_path / "a/b/result").write_text("")
    assert (tmp_path / "a/b/result").exists()


def test_a_place_that_cannot_be_written_and_a_bucket_have_no_lock(tmp_path):
    (tmp_path / "file").write_text("")
    for lock in ("gs://bucket/x.lock", str(tmp_path / "file" / "x.lock")):
        with locks.held(lock, "x"):
            pass
