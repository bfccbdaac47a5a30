"""Copies of shards serve later epochs, and change nothing."""

import os

import pytest
import tensorflow as tf

from tests.support.records import numbers, same, stream
from yt8m import listing
from yt8m.data.files.cache import RecordCache, open_cache
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
def test_cache_serves_later_epochs_without_the_files(make, tmp_path, where):
    files = make.shards("frame", 30, 3)
    cache = RecordCache("memory" if where == "memory" else str(tmp_path / "cache"))
    plain = [stream(files, make.frame, training=True, epoch=e, batch_size=5) for e in (0, 1)]
    same(plain[0], stream(files, make.frame, training=True, epoch=0, batch_size=5, cache=cache))
    asked = []
    copy = tf.io.gfile.copy
    tf.io.gfile.copy = lambda *a, **k: asked.append(a) or copy(*a, **k)
    try:
        same(plain[1], stream(files, make.frame, training=True, epoch=1, batch_size=5, cache=cache))
    finally:
        tf.io.gfile.copy = copy
    assert not asked
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
    cache = RecordCache(str(tmp_path / "cache"))
    copy = cache.local(path, listing.status(path))
    os.rename(copy, copy + ".partial")
    assert cache.local(path, listing.status(path)) == path
    os.utime(copy + ".partial", (1, 1))  # of a process that was killed
    assert cache.local(path, listing.status(path)) == copy
    assert os.listdir(tmp_path / "cache") == [os.path.basename(copy)]


def test_memory_that_is_too_small_is_refused(make, monkeypatch):
    files = make.shards("video", 40, 2)
    assert isinstance(open_cache("memory", "", 0, files), RecordCache)
    monkeypatch.setattr("yt8m.data.files.cache._available_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"--cache=memory: the 2 shards have .* --cache_dir"):
        open_cache("memory", "", 0, files)


@pytest.mark.parametrize(
    "settings", [("memory", "there", 0), ("", "", 5), ("", "gs://bucket/there", 5)]
)
def test_settings_that_contradict_are_refused(settings):
    with pytest.raises(UserError, match="--cache"):
        open_cache(*settings, files=[])


def test_a_full_disk_leaves_the_shard_where_it_is(make, tmp_path, monkeypatch):
    (path,) = make.shards("video", 40, 1)

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "no space left on device")

    monkeypatch.setattr(tf.io.gfile, "copy", full)
    cache = RecordCache(str(tmp_path / "cache"))
    assert cache.local(path, listing.status(path)) == path
    assert not os.listdir(tmp_path / "cache")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--cache_dir=.*file cannot be written"):
        open_cache("", str(tmp_path / "file"), 0, files=[])
