"""Copies of shards serve later epochs, and change nothing."""

import concurrent.futures
import contextlib
import errno
import fcntl
import io
import os
import pathlib
import subprocess
import sys

import pytest

from tests.support.records import numbers, same, stream
from yt8m import listing
from yt8m.data.files import copies
from yt8m.data.files.cache import RecordCache, open_cache
from yt8m.data.files.copies import FolderCopies, MemoryCopies
from yt8m.errors import UserError


@pytest.mark.parametrize("training", [False, True])
def test_readers_and_cache_do_not_change_the_stream(make, tmp_path, training):
    files = make.shards("video", 900, 11)  # more shards than are open at once, of unlike lengths
    files.append(make.shard("video99.tfrecord", [make.video_payload(i) for i in range(900, 1100)]))
    options = dict(training=training, seed=3, epoch=1, batch_size=50, drop_remainder=False)
    one = stream(files, make.video, num_readers=1, **options)
    assert numbers(one["id"]) == list(range(1100))
    for readers in (2, 5, 8, 64):
        same(one, stream(files, make.video, num_readers=readers, **options))
    for where in ("memory", str(tmp_path / "cache")):
        same(one, stream(files, make.video, cache=RecordCache(where), **options))


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_cache_serves_later_epochs_without_the_files(make, tmp_path, monkeypatch, where):
    files = make.shards("frame", 30, 3)
    cache = RecordCache("memory" if where == "memory" else str(tmp_path / "cache"))
    plain = [stream(files, make.frame, training=True, epoch=e, batch_size=5) for e in (0, 1)]
    same(plain[0], stream(files, make.frame, training=True, epoch=0, batch_size=5, cache=cache))
    with refused(monkeypatch, "begin"):
        same(plain[1], stream(files, make.frame, training=True, epoch=1, batch_size=5, cache=cache))
    if where == "folder":
        kept = sorted(p.name for p in (tmp_path / "cache").iterdir())
        assert len(kept) == 3
        assert not any(n.endswith(".partial") for n in kept)


def test_cache_does_not_serve_a_shard_that_was_written_anew(make):
    path = make.shard("x.tfrecord", [make.video_payload(i) for i in range(4)])
    cache = RecordCache("memory")
    assert numbers(stream([path], make.video, cache=cache)["id"]) == [0, 1, 2, 3]
    make.shard("x.tfrecord", [make.video_payload(i) for i in range(7)])
    assert numbers(stream([path], make.video, cache=cache)["id"]) == list(range(7))


def test_a_full_folder_leaves_the_rest_where_it_is(make, tmp_path):
    files = make.shards("video", 400, 8)
    size = os.path.getsize(files[0])
    cache = RecordCache(str(tmp_path / "cache"), most_bytes=int(3.5 * size))
    options = dict(training=True, seed=3, batch_size=50)
    plain = stream(files, make.video, **options)
    for _ in range(2):
        same(plain, stream(files, make.video, cache=cache, **options))
        kept = [path.stat().st_size for path in (tmp_path / "cache").iterdir()]
        assert 2 <= len(kept) <= 3
        assert sum(kept) <= 3.5 * size


def test_a_copy_of_another_size_is_made_again(make, tmp_path):
    (path,) = make.shards("video", 40, 1)
    cache = RecordCache(str(tmp_path / "cache"))
    plain = stream([path], make.video, cache=cache)
    (copy,) = (tmp_path / "cache").iterdir()
    copy.write_bytes(copy.read_bytes()[:100])
    same(plain, stream([path], make.video, cache=cache))
    assert copy.stat().st_size == os.path.getsize(path)


def test_a_copy_that_another_process_makes_is_left_to_it(make, tmp_path):
    (path,) = make.shards("video", 40, 1)
    status, cache = listing.status(path), RecordCache(str(tmp_path / "cache"))
    script = tmp_path / "writes.py"
    script.write_text(WRITES)
    arguments = [str(tmp_path / "cache"), name_of(path, status), str(status.size)]
    other = subprocess.Popen([sys.executable, str(script), *arguments], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"writing\n"
        assert cache.local(path, status) == path
    finally:
        other.kill()  # as the system kills a process that takes too much memory
        other.wait()
    assert os.listdir(tmp_path / "cache") == [name_of(path, status) + ".partial"]
    copy = cache.local(path, status)
    assert os.listdir(tmp_path / "cache") == [os.path.basename(copy)]
    assert pathlib.Path(copy).read_bytes() == pathlib.Path(path).read_bytes()


WRITES = """
import sys, time
from yt8m.data.files.copies import FolderCopies

copy = FolderCopies(sys.argv[1]).begin(sys.argv[2], int(sys.argv[3]))
copy.write(b"half")
print("writing", flush=True)
time.sleep(100)
"""


def name_of(path, status):
    """Return the name of a shard's copy."""
    names = []
    cache = RecordCache("memory")
    cache._copies.has = lambda name, _: names.append(name) or True
    cache.local(path, status)
    return names[0]


def test_many_readers_of_a_folder_make_each_copy_once_and_whole(make, tmp_path, monkeypatch):
    files = make.shards("video", 400, 8)
    folder, begun = tmp_path / "cache", []
    begin = FolderCopies.begin

    def counted(copies, name, size):
        copy = begin(copies, name, size)
        begun.append(name) if copy else None
        return copy

    monkeypatch.setattr(FolderCopies, "begin", counted)
    monkeypatch.setattr("yt8m.data.files.cache._PART", 100)
    size = os.path.getsize(files[0])
    caches = [RecordCache(str(folder), most_bytes=int(4.9 * size)) for _ in range(16)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        work = [(cache, path) for path in files for cache in caches]
        read = list(pool.map(lambda w: (w[1], w[0].local(w[1], listing.status(w[1]))), work))
    for path, copy in read:
        assert pathlib.Path(copy).read_bytes() == pathlib.Path(path).read_bytes()
    assert len(begun) == len(set(begun)) == len(os.listdir(folder)) == 4


def test_unfinished_copies_take_room(make, tmp_path):
    files = make.shards("video", 400, 8)
    size = os.path.getsize(files[0])
    cache = RecordCache(str(tmp_path / "cache"), most_bytes=int(1.5 * size))
    unfinished = FolderCopies(str(tmp_path / "cache")).begin("another", size)  # of another process
    assert cache.local(files[0], listing.status(files[0])) == files[0]
    unfinished.abandon()
    assert cache.local(files[0], listing.status(files[0])) != files[0]


def test_what_a_killed_process_left_takes_no_room(make, tmp_path):
    (path,) = make.shards("video", 40, 1)
    left = tmp_path / "cache" / "another.partial"
    left.parent.mkdir()
    left.write_bytes(bytes(10 * os.path.getsize(path)))
    cache = RecordCache(str(left.parent), most_bytes=2 * os.path.getsize(path))
    assert cache.local(path, listing.status(path)) != path
    assert not left.exists()


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_a_shard_that_is_being_written_is_not_kept(make, tmp_path, where):
    (path,) = make.shards("video", 40, 1)
    cache = RecordCache("memory" if where == "memory" else str(tmp_path / "cache"))
    status = listing.status(path)
    for size in (status.size - 1, status.size + 1):
        assert cache.local(path, status._replace(size=size)) == path
    assert where == "memory" or not os.listdir(tmp_path / "cache")
    assert cache.local(path, status) != path


def test_the_end_of_a_session_ends_its_copies(make, tmp_path, monkeypatch):
    (path,) = make.shards("video", 400, 1)
    status, where = listing.status(path), tmp_path / "cache"
    monkeypatch.setattr("yt8m.data.files.cache._PART", 100)
    parts = iter([False] * 10)
    ends = RecordCache(str(where), is_over=lambda: next(parts, True))
    assert ends.local(path, status) == path
    assert not os.listdir(where)
    assert next(parts, None) is None, "it was copied to a part"
    cache = RecordCache(str(where))
    monkeypatch.setattr(cache, "_ends", lambda: cache.close() or RecordCache._ends(cache))
    assert cache.local(path, status) == path
    assert not os.listdir(where)


@contextlib.contextmanager
def refused(monkeypatch, name):
    """Fail where a copy is begun."""
    with monkeypatch.context() as patch:
        for kind in (FolderCopies, MemoryCopies):
            patch.setattr(kind, name, None)
        yield


def test_memory_that_is_too_small_is_refused(make, monkeypatch):
    files = make.shards("video", 40, 2)
    assert isinstance(open_cache("memory", "", 0, files), RecordCache)
    monkeypatch.setattr("yt8m.data.files.cache.available_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"--cache=memory: the 2 shards have .* --cache_dir"):
        open_cache("memory", "", 0, files)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("memory", "there", 0), "--cache=memory and --cache_dir=there: set one"),
        (("", "", 5), "--cache_gb=5 limits --cache_dir, which is not set"),
        (("memory", "", 5), "--cache_gb=5 limits --cache_dir, which is not set"),
        (("", "gs://bucket/there", 5), "--cache_dir=gs://bucket/there is remote"),
        (("gs://bucket/there", "", 5), "--cache=gs://bucket/there is remote"),
    ],
)
def test_settings_that_contradict_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        open_cache(*settings, files=[])


@pytest.mark.parametrize("flag", ["cache", "cache_dir"])
def test_both_names_of_a_folder_follow_one_rule(make, tmp_path, flag):
    files = make.shards("video", 40, 2)
    size, folder = os.path.getsize(files[0]), str(tmp_path / "cache")
    named = (folder, "") if flag == "cache" else ("", folder)
    cache = open_cache(*named, 1.5e-9 * size, files)
    kept = [cache.local(path, listing.status(path)) != path for path in files]
    assert kept == [True, False]
    (tmp_path / "file").write_text("")
    wrong = [name and str(tmp_path / "file") for name in named]
    with pytest.raises(UserError, match=rf"--{flag}=.*file cannot be written"):
        open_cache(*wrong, 0, files=[])


def test_a_folder_without_locks_is_refused(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(UserError, match=r"--cache_dir=.* cannot be locked .*no locks available"):
        open_cache("", str(tmp_path), 0, files=[])


@pytest.mark.parametrize("why", [errno.ENOSPC, errno.EIO])
def test_only_a_full_disk_leaves_the_shard_where_it_is(make, tmp_path, monkeypatch, why):
    (path,) = make.shards("video", 40, 1)

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(why, os.strerror(why))

    begin = copies.FileCopy
    monkeypatch.setattr(copies, "FileCopy", lambda out, *where: begin(Full(), *where))
    cache = RecordCache(str(tmp_path / "cache"))
    if why == errno.ENOSPC:
        assert cache.local(path, listing.status(path)) == path
    else:
        with pytest.raises(OSError, match="Input/output error"):
            cache.local(path, listing.status(path))
    assert not os.listdir(tmp_path / "cache")
