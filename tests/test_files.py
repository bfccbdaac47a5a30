"""Locks of files, on systems that have them and on those that do not."""

import errno
import fcntl

import pytest

from yt8m.files import lock


def test_a_lock_refuses_another_until_it_is_closed(tmp_path):
    path = tmp_path / "lock"
    with path.open("w") as one, path.open("r+") as other:
        assert lock(one)
        assert not lock(other)
        one.close()
        assert lock(other)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_not_taken_for_another_process(
    tmp_path, monkeypatch, number
):
    def unsupported(*_):
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with (tmp_path / "lock").open("w") as out:
        assert lock(out)
