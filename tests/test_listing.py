"""Questions about files are asked side by side, and once for a command."""

import os

import pytest
import tensorflow as tf

from tests.support.bucket import requests
from yt8m import listing


@pytest.fixture
def files(tmp_path):
    for i in range(100):
        (tmp_path / f"{i:03d}").write_bytes(b"x" * i)
    return [f"file://{tmp_path}/{i:03d}" for i in range(100)]


def test_sizes_are_asked_side_by_side(files):
    with requests(0.05) as asked:
        assert listing.sizes(files) == list(range(100))
    assert asked.calls == {"stat": 100}
    assert asked.in_sequence < 20


def test_a_command_asks_once(files):
    with requests() as asked, listing.asked_once():
        glob = os.path.dirname(files[0]) + "/*"
        for _ in range(2):
            assert sorted(listing.matching(glob)) == files
            assert listing.sizes(files) == list(range(100))
    assert asked.calls == {"glob": 1, "stat": 100}


def test_otherwise_each_call_asks_again(files, tmp_path):
    assert listing.sizes(files[:1]) == [0]
    (tmp_path / "000").write_bytes(b"more")
    assert listing.sizes(files[:1]) == [4]


def test_a_missing_file_is_an_error(files):
    with pytest.raises(tf.errors.NotFoundError):
        listing.sizes([*files, files[0] + "gone"])


def test_a_slow_listing_says_how_far_it_is(files, monkeypatch, capsys):
    monkeypatch.setattr(listing, "_SILENT_SECONDS", 0.02)
    with requests(0.02):
        listing.sizes(files)
    assert "of 100 files" in capsys.readouterr().err


def test_local_files_are_asked_about_many_at_a_time(files, monkeypatch):
    monkeypatch.setattr(listing, "_LOCAL_TOGETHER", 7)
    local = [path.removeprefix("file://") for path in files]
    paths = [*local[:20], "gone", *local[20:]]
    found = dict(listing.look(paths))
    assert list(found) == paths
    assert isinstance(found.pop("gone"), tf.errors.NotFoundError)
    assert [status.size for status in found.values()] == list(range(100))
