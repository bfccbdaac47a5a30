"""Globs are expanded, and one that matches nothing is refused."""

import os
import re

import pytest

from tests.support.bucket import requests
from yt8m import listing
from yt8m.data.files.shards import find_shards, fingerprint
from yt8m.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.tfrecord", "a.tfrecord", "c.txt"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "dir.tfrecord").mkdir()
    return tmp_path


def test_sorted_and_once(folder):
    found = find_shards(f"{folder}/b*, {folder}/*.tfrecord")
    assert found == [f"{folder}/a.tfrecord", f"{folder}/b.tfrecord"]


def test_no_match_names_the_nearest_folder(folder):
    with pytest.raises(UserError) as error:
        find_shards(f"{folder}/*.tfrecord,{folder}/deeper/still/*.tfrecord", "--eval_data_pattern")
    text = str(error.value)
    assert text.startswith(f"--eval_data_pattern={folder}/deeper/still/*.tfrecord matches no file")
    assert f"is {folder}, which contains a.tfrecord, b.tfrecord, c.txt, dir.tfrecord" in text


def test_empty_pattern():
    with pytest.raises(UserError, match="--train_data_pattern is empty"):
        find_shards(" , ")


def test_fingerprint_tells_data_sets_apart(folder):
    one = fingerprint([f"{folder}/a.tfrecord"])
    assert one["shards"] == 1
    assert one["bytes"] == 10
    assert one == fingerprint([f"{folder}/a.tfrecord"]) != fingerprint([f"{folder}/b.tfrecord"])


def test_a_list_stands_for_its_lines(folder):
    listed = folder / "list.txt"
    listed.write_text(f"# two files\n{folder}/b.tfrecord\n\n{folder}/a*\n")
    assert find_shards(f"@{listed}") == find_shards(f"{folder}/*.tfrecord")
    assert find_shards(f"@{listed},{folder}/c.txt")[-1] == f"{folder}/c.txt"


def test_the_remote_paths_of_a_list_are_asked_about_side_by_side_and_once(folder):
    (folder / "train").mkdir()
    for i in range(64):
        (folder / "train" / f"{i:02d}.tfrecord").write_bytes(b"x")
    paths = [f"file://{folder}/train/{i:02d}.tfrecord" for i in range(64)]
    (folder / "list.txt").write_text("\n".join(paths))
    with requests(0.02) as asked, listing.asked_once():
        assert find_shards(f"@{folder}/list.txt") == paths
        listing.sizes(paths)
    assert asked.calls == {"stat": 64}
    assert asked.in_sequence < 10


@pytest.mark.parametrize("where", ["", "file://"])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("gone.tfrecord", "does not exist. The nearest existing folder is .*, which contains"),
        ("gone/1.tfrecord", "does not exist. The nearest existing folder is "),
        ("gone*", "matches no file"),
        ("dir.tfrecord", r"is a folder; name its files, such as .*dir.tfrecord/\*.tfrecord"),
        ("d*", "matches no file"),
        ("c.txt/1.tfrecord", r"cannot be read \("),
        ("dangling.tfrecord", "does not exist"),
        ("dangling*", "matches a file that is not there"),
    ],
)
def test_a_wrong_line_of_a_list_is_named(folder, where, name, problem):
    if name.startswith("dangling"):
        (folder / "dangling.tfrecord").symlink_to(folder / "nowhere")
    (folder / "list.txt").write_text(f"# some\n{where}{folder}/a.tfrecord\n{where}{folder}/{name}")
    with pytest.raises(UserError) as error:
        find_shards(f"{folder}/b.tfrecord,@{folder}/list.txt", "--eval_data_pattern")
    named = f"--eval_data_pattern=@{folder}/list.txt, line 3: {where}{folder}/{name} "
    assert str(error.value).startswith(named)
    assert re.search(problem, str(error.value))


def test_a_list_that_cannot_be_read_is_refused(folder):
    with pytest.raises(UserError, match=r"--eval_data_pattern=@.*/none.txt: .* is not a text file"):
        find_shards(f"@{folder}/none.txt", "--eval_data_pattern")
    (folder / "empty.txt").write_text("# nothing\n")
    with pytest.raises(UserError, match="lists no file"):
        find_shards(f"@{folder}/empty.txt")


def test_a_dangling_link_is_named(folder):
    (folder / "d.tfrecord").symlink_to(folder / "gone")
    with pytest.raises(
        UserError, match=r"--train_data_pattern=.*\.tfrecord matches a file that is"
    ):
        find_shards(f"{folder}/*.tfrecord")


def test_a_pipe_is_refused_before_it_is_opened(folder):
    os.mkfifo(folder / "d.tfrecord")
    with pytest.raises(UserError, match=r"--x: .*d\.tfrecord is a pipe or a device"):
        find_shards(f"{folder}/*.tfrecord", "--x")


def test_a_list_of_nothing_is_named(folder):
    (folder / "list.txt").write_text("# nothing\n")
    with pytest.raises(UserError, match=r"--x=@.*list\.txt: .*list\.txt lists no file"):
        find_shards(f"@{folder}/list.txt", "--x")
