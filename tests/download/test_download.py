"""`yt8m download` against a local server, well-behaved or not."""

import contextlib
import errno
import json
import shutil
from collections import namedtuple

import pytest

from tests.support.commands import run_command
from tests.support.mirror import FOLDER, PLAN, shard
from yt8m import listing
from yt8m.data.files.shards import find_shards
from yt8m.download import plan
from yt8m.download.partial_file import PartialFile
from yt8m.download.web import Dropped
from yt8m.locks.owner import Owner

GOLDEN = ["Ix", "Wy", "qP", "sT"]  # a thousandth of the training split

NAMES = {"aa": "train0000", "aA": "train0026", "Z9": "train3223", "9z": "train3807"}


def path(two):
    return f"{FOLDER}train{two}.tfrecord"


def assert_complete(mirror, folder, names=NAMES):
    """The folder holds the files of the server and nothing unfinished."""
    for two in names:
        assert (folder / f"{NAMES[two]}.tfrecord").read_bytes() == mirror.files[path(two)]
    assert len(list(folder.glob("train*"))) == len(names)


def test_all_files_arrive_once(mirror, get, tmp_path):
    first = get()
    assert first.code == 0, first.err
    assert_complete(mirror, tmp_path / "data")
    assert "2/video/train, share 1, seed 0: 4 of 4 files, 0.01 MB in total" in first.out
    assert "100% 4/4 files" in first.out
    assert len(mirror.gets()) == 4
    second = get()
    assert second.code == 0
    assert "all 4 files are complete" in second.out
    assert len(mirror.gets()) == 4
    assert sum(r.path == PLAN for r in mirror.requests) == 1
    assert sum(r.method == "HEAD" for r in mirror.requests) == 4


def test_the_plan_says_where_the_files_come_from(mirror, get, tmp_path):
    get("--share=1/4", "--seed=3")
    get("--share=1/2", "--seed=3")
    get("--share=1/2", "--seed=3")
    plan = json.loads((tmp_path / "data/download_2_video_train.json").read_text())
    assert plan["source"] == mirror.url + PLAN
    assert plan["fetched"].startswith("20")
    assert [(s["share"], s["seed"], s["files"]) for s in plan["shares"]] == [
        ("1/4", 3, 1),
        ("1/2", 3, 2),
    ]
    assert plan["sums"] == json.loads(mirror.files[PLAN])["files"]


def test_what_a_killed_process_left_of_a_plan_is_removed(get, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "download_2_video_train.json.1234.tmp").write_text("{")
    lock = folder / "download_2_video_train.json.lock"
    lock.write_bytes(Owner.this_process().to_bytes())  # another download, which soon ends
    monkeypatch.setattr(plan.time, "sleep", lambda _: lock.unlink(missing_ok=True))
    get()
    assert not [p.name for p in folder.iterdir() if p.name.endswith((".tmp", ".lock"))]


def test_a_dry_run_downloads_nothing(mirror, get, tmp_path):
    ended = get("--dry_run", "--share=1/2")
    assert ended.code == 0
    assert "2 of 4 files" in ended.out
    assert ".tfrecord -> " in ended.out
    assert not mirror.gets()
    assert not (tmp_path / "data").exists()


@pytest.fixture
def found(monkeypatch):
    """Whatever a list names is in its bucket."""
    status = listing.FileStatus(size=1, modified=0, is_folder=False)
    monkeypatch.setattr(listing, "look", lambda paths: [(path, status) for path in paths])


@pytest.mark.usefixtures("found")
def test_the_list_for_reading_in_place(mirror, get, tmp_path):
    listed = tmp_path / "lists/train.txt"
    ended = get(f"--list_gs={listed}", "--mirror=asia")
    assert ended.code == 0
    expected = sorted(f"gs://asia.data.yt8m.org{path(two)}" for two in NAMES)
    assert find_shards(f"@{listed}") == expected
    assert not mirror.gets()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_dropped_connection_resumes(mirror, get, tmp_path, ranges):
    mirror.ranges = ranges
    mirror.faults[path("aa")] = ["drop 1000", "drop 500"]
    ended = get()
    assert ended.code == 0, ended.err
    assert_complete(mirror, tmp_path / "data")
    starts = [r.start for r in mirror.gets("trainaa")]
    assert starts == ([0, 1000, 1500] if ranges else [0, 0, 0])


def test_drops_that_bring_nothing_end_with_an_error(mirror, get, tmp_path):
    mirror.faults[path("aa")] = ["drop 0"] * 10
    ended = get("--retries=2")
    assert ended.code == 1
    assert "1 of 4 files could not be had" in ended.err
    assert "trainaa.tfrecord: the connection closed after 0 of" in ended.err
    assert len(mirror.gets("trainaa")) == 3
    assert_complete_but(mirror, tmp_path / "data", "aa")


def assert_complete_but(mirror, folder, lost):
    for partial in folder.glob("*.partial"):
        partial.unlink()
    assert_complete(mirror, folder, [two for two in NAMES if two != lost])


def test_drops_that_bring_bytes_do_not_count(mirror, get, tmp_path):
    mirror.faults[path("aa")] = ["drop 100"] * 8
    assert get("--retries=1").code == 0
    assert_complete(mirror, tmp_path / "data")


def test_a_silent_connection_counts_as_dropped(mirror, get, tmp_path):
    mirror.faults[path("aa")] = ["stall 1000"]
    assert get("--timeout_seconds=0.3").code == 0
    assert_complete(mirror, tmp_path / "data")
    assert [r.start for r in mirror.gets("trainaa")] == [0, 1000]


def test_a_redirect_keeps_the_range(mirror, get, tmp_path):
    mirror.faults[path("aa")] = ["drop 1000", "moved"]
    assert get().code == 0
    assert_complete(mirror, tmp_path / "data")
    moved = [r for r in mirror.requests if r.path.startswith("/moved")]
    assert [(r.start, r.sent) for r in moved] == [(1000, 2036)]


def test_a_busy_server_is_tried_again(mirror, get, tmp_path):
    mirror.faults[path("aa")] = ["503", "500", "429"]
    mirror.faults[PLAN] = ["503"]
    assert get().code == 0
    assert_complete(mirror, tmp_path / "data")


def test_a_missing_file_is_listed_at_the_end(mirror, get, tmp_path):
    content = mirror.files.pop(path("Z9"))
    ended = get()
    assert ended.code == 1
    assert "trainZ9.tfrecord: 404 Not Found" in ended.err
    assert len(mirror.gets("trainZ9")) == 1
    assert_complete_but(mirror, tmp_path / "data", "Z9")
    mirror.files[path("Z9")] = content
    assert get().code == 0
    assert_complete(mirror, tmp_path / "data")
    assert len(mirror.gets()) == 5


@pytest.mark.parametrize(
    ("fault", "message"),
    [("wrong", "its MD5 sum is"), ("short", "it has 3029 bytes instead of 3036")],
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_wrong_file_is_downloaded_once_more(mirror, get, tmp_path, fault, message, times):
    mirror.faults[path("aA")] = [fault] * times
    ended = get()
    assert len(mirror.gets("trainaA")) == 2
    if times == 1:
        assert ended.code == 0, ended.err
        assert_complete(mirror, tmp_path / "data")
    else:
        assert ended.code == 1
        assert f"trainaA.tfrecord: downloaded twice, and {message}" in ended.err
        assert not list((tmp_path / "data").glob("*.partial"))
        assert_complete_but(mirror, tmp_path / "data", "aA")


def test_a_file_that_is_no_record_file_is_refused(mirror, get):
    mirror.files[path("aa")] = b"<html>not found</html>"
    mirror.publish()
    ended = get()
    assert ended.code == 1
    assert "it does not begin with a TFRecord" in ended.err
    assert get("--nocheck").code == 0


def test_a_broken_first_record_is_refused(mirror, get):
    content = bytearray(shard(9))
    content[40] ^= 1
    mirror.files[path("aa")] = bytes(content)
    mirror.publish()
    assert "its first record does not match its checksum" in get().err


def test_without_sizes_everything_still_arrives(mirror, get, tmp_path):
    mirror.sizes = False
    mirror.faults[path("aa")] = ["drop 1000"]
    ended = get()
    assert ended.code == 0
    assert "4 of 4 files, of unknown size" in ended.out
    assert_complete(mirror, tmp_path / "data")


def test_a_whole_partial_file_needs_no_more_bytes(mirror, get, tmp_path):
    (tmp_path / "data").mkdir()
    for sizes, two in (True, "aa"), (False, "aA"):
        mirror.sizes = sizes
        partial = tmp_path / f"data/{NAMES[two]}.tfrecord.partial"
        partial.write_bytes(mirror.files[path(two)])
    assert get().code == 0
    assert_complete(mirror, tmp_path / "data")
    assert sum(r.sent for r in mirror.gets("trainaa") + mirror.gets("trainaA")) == 0


def test_a_partial_file_of_other_bytes_is_downloaded_again(mirror, get, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train0000.tfrecord.partial").write_bytes(b"x" * 100)
    (tmp_path / "data/train0026.tfrecord.partial").write_bytes(b"x" * 100_000)
    assert get().code == 0
    assert_complete(mirror, tmp_path / "data")
    assert [r.start for r in mirror.gets("trainaa")] == [100, 0]


def test_a_file_in_the_way_is_not_overwritten(mirror, get, tmp_path):
    mine = tmp_path / "data/train0000.tfrecord"
    mine.parent.mkdir()
    mine.write_bytes(b"my own")
    ended = get()
    assert ended.code == 2
    assert "with 6 bytes instead of 3036" in ended.err
    assert mine.read_bytes() == b"my own"
    assert not mirror.gets()
    assert get("--existing=repair").code == 0
    assert_complete(mirror, tmp_path / "data")


def test_repair_reads_what_keep_does_not(mirror, get, tmp_path):
    get()
    broken = tmp_path / "data/train0000.tfrecord"
    broken.write_bytes(broken.read_bytes()[:-1] + b"x")
    assert get().code == 0
    assert len(mirror.gets()) == 4
    ended = get("--existing=repair")
    assert ended.code == 0
    assert "its MD5 sum is" in ended.out
    assert len(mirror.gets()) == 5
    assert_complete(mirror, tmp_path / "data")


def test_replace_downloads_all_again(mirror, get, tmp_path):
    get()
    assert get("--existing=replace").code == 0
    assert len(mirror.gets()) == 8
    assert_complete(mirror, tmp_path / "data")


def test_a_full_disk_is_seen_before_the_start(mirror, get, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**4, 0, 10**4))
    ended = get()
    assert ended.code == 2
    assert "has 0.01 MB free, and 0.01 MB are needed" in ended.err
    assert not mirror.gets()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 0, 10**6))
    assert get().code == 0


def test_a_disk_that_fills_up_ends_the_download(mirror, get, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as changed:
        changed.setattr(PartialFile, "append", full)
        ended = get("--parallel=1")
    assert ended.code == 2
    assert "cannot be written ([Errno 28] No space left on device)" in ended.err
    assert len(mirror.gets()) == 1
    assert get().code == 0
    assert_complete(mirror, tmp_path / "data")


def test_places_that_cannot_be_written(get, tmp_path):
    (tmp_path / "file").write_text("")
    ended = get(f"--out_dir={tmp_path}/file/data")
    assert ended.code == 2
    assert "file/data cannot be written" in ended.err
    assert get(f"--list_gs={tmp_path}/file/list.txt").code == 2


def test_the_vocabulary_comes_along(mirror, get, tmp_path):
    content = b"Index,Name\n" + b"0,Game\n" * 10_000
    mirror.files["/csv/2/vocabulary.csv"] = content
    ended = get("--vocabulary")
    assert ended.code == 0
    assert (tmp_path / "data/vocabulary.csv").read_bytes() == content
    assert "100% 5/5 files, 0.08 MB of 0.08 MB" in ended.out
    (tmp_path / "data/vocabulary.csv").write_bytes(b"my own")
    assert get("--vocabulary").code == 0
    assert (tmp_path / "data/vocabulary.csv").read_bytes() == b"my own"
    assert_complete(mirror, tmp_path / "data")


def test_another_level_needs_another_folder(mirror, get, tmp_path):
    get()
    frames = "/2/download_plans/frame_train.json"
    mirror.files[frames] = mirror.files[PLAN]
    ended = get("--level=frame")
    assert ended.code == 2
    assert "choose another --out_dir" in ended.err
    assert_complete(mirror, tmp_path / "data")


@pytest.mark.parametrize(
    "content", [b"<html>", b"{}", b'{"files": {}}', b'{"files": [1]}', b'{"files": {"../a.b": ""}}']
)
def test_a_plan_of_another_form_is_refused(mirror, get, content):
    mirror.files[PLAN] = content
    ended = get()
    assert ended.code == 2
    assert "video_train.json" in ended.err


def test_a_server_without_a_plan(mirror, get):
    del mirror.files[PLAN]
    ended = get()
    assert ended.code == 2
    assert "the server answered 404 Not Found. Check --level" in ended.err


def test_no_server(get):
    ended = get("--base_url=http://127.0.0.1:9", "--retries=1")
    assert ended.code == 2
    assert "http://127.0.0.1:9/2/download_plans/video_train.json cannot be reached" in ended.err


def test_flags_that_are_missing_or_remote(get):
    assert "--out_dir is missing" in get("--out_dir=").err
    ended = get("--out_dir=gs://bucket/data")
    assert ended.code == 2
    assert "--list_gs=FILE" in ended.err


@pytest.fixture
def without_network(monkeypatch):
    @contextlib.contextmanager
    def opened(url, **_):
        raise Dropped("no network")
        yield

    monkeypatch.setattr(plan, "opened", opened)


@pytest.mark.usefixtures("without_network", "found")
def test_without_a_network_the_naming_rule_is_enough_for_a_list(tmp_path):
    listed = tmp_path / "train.txt"
    ended = run_command("download", "--level=frame", "--share=1/1000", f"--list_gs={listed}")
    assert ended.code == 0
    assert "the names follow the rule of this release" in ended.out
    expected = [f"gs://us.data.yt8m.org/2/frame/train/train{n}.tfrecord" for n in GOLDEN]
    assert find_shards(f"@{listed}") == expected


@pytest.mark.usefixtures("without_network")
def test_without_a_network_a_dry_run_estimates(tmp_path):
    ended = run_command("download", "--level=video", "--dry_run", f"--out_dir={tmp_path}")
    assert ended.code == 0
    assert "38 of 3844 files, 0.18 GB estimated in total" in ended.out


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize("arguments", [[], ["--list_gs=x", "--level=segment", "--split=test"]])
def test_without_a_network_nothing_else_works(tmp_path, arguments):
    ended = run_command("download", f"--out_dir={tmp_path}", "--retries=0", *arguments)
    assert ended.code == 2
    assert "cannot be reached (no network). Check the network" in ended.err
