"""Only one at a time extends an unfinished file, and what was received stays."""

import errno
import fcntl
import os

import pytest

from yt8m.download.partial_file import SUFFIX, Busy, PartialFile


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "train0000.tfrecord")


def test_bytes_stay_until_the_file_is_finished(path):
    with PartialFile(path) as partial:
        partial.append(b"ab")
    with PartialFile(path) as partial:
        assert partial.size == 2
        partial.append(b"c")
        assert not os.path.exists(path)
        partial.finish()
    with open(path, "rb") as whole:
        assert whole.read() == b"abc"
    assert not os.path.exists(path + SUFFIX)


def test_cleared_bytes_are_counted(path):
    with PartialFile(path) as partial:
        partial.append(b"abc")
        assert partial.clear() == 3
        partial.append(b"d")
        assert partial.size == 1


def test_a_second_one_is_refused_until_the_first_ends(path):
    with PartialFile(path), pytest.raises(Busy):
        PartialFile(path)
    with PartialFile(path):
        pass


@pytest.mark.parametrize("end", [os.remove, lambda name: os.replace(name, name + ".other")])
def test_a_file_that_another_ended_between_opening_and_locking(path, monkeypatch, end):
    lock = fcntl.flock

    def late(file, how):
        end(path + SUFFIX)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(Busy):
        PartialFile(path)


def test_a_file_system_without_locks(path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with PartialFile(path) as partial:
        partial.append(b"a")
        partial.finish()
    assert os.path.getsize(path) == 1


@pytest.mark.parametrize("received", [b"", b"ab"])
def test_a_file_of_which_nothing_came_is_removed(path, received):
    def receive():
        with PartialFile(path) as partial:
            partial.append(received)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        receive()
    assert os.path.exists(path + SUFFIX) == bool(received)
