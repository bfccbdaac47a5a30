"""Copies of shards serve later epochs, and change nothing."""

import pytest
import tensorflow as tf

from tests.support.records import numbers, same, stream
from yt8m.data.files.cache import RecordCache


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
        assert not any(n.endswith(".tmp") for n in kept)


def test_cache_does_not_serve_a_shard_that_was_written_anew(make):
    path = make.shard("x.tfrecord", [make.video_payload(i) for i in range(4)])
    cache = RecordCache("memory")
    assert numbers(stream([path], make.video, cache=cache)["id"]) == [0, 1, 2, 3]
    make.shard("x.tfrecord", [make.video_payload(i) for i in range(7)])
    assert numbers(stream([path], make.video, cache=cache)["id"]) == list(range(7))
