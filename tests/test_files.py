"""Locks of files, where systems have them and where not; outputs that are pipes or links."""

import errno
import fcntl
import os
import stat

import pytest

from yt8m import files
from yt8m.errors import UserError
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


def test_a_pipe_is_refused_and_stays(tmp_path):
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    for write in (
        lambda: files.write_text(pipe, "text"),
        lambda: files.WholeFile(pipe, "--output_file"),
    ):
        with pytest.raises(UserError, match="is a device or a pipe"):
            write()
    with pytest.raises(UserError, match="--output_file=/dev/null is a device"):
        files.WholeFile("/dev/null", "--output_file")
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/a.csv").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "there/a.csv")
    with files.WholeFile(str(tmp_path / "link")) as out:
        out.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there/a.csv").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["link", "there"]
