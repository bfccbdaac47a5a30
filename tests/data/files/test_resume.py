"""A resumed epoch does not open the shards that it has finished, and is the same stream."""

import os

import numpy as np
import pytest
import tensorflow as tf

from tests.support.bucket import requests
from tests.support.records import same, stream
from yt8m import listing
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.counts import ShardCount, ShardCounts
from yt8m.data.files.resume import finished_shards, interleaved
from yt8m.errors import UserError


@pytest.mark.parametrize("seed", range(4))
def test_the_interleave_is_repeated(seed):
    counts = np.random.default_rng(seed).choice([0, 1, 15, 16, 17, 31, 32, 33, 70], 40)
    real = tf.data.Dataset.from_tensor_slices(np.arange(40)).interleave(
        lambda i: tf.data.Dataset.from_tensors(i).repeat(tf.gather(counts, i)),
        cycle_length=8,
        block_length=16,
        num_parallel_calls=8,
        deterministic=True,
    )
    shards = list(real.as_numpy_iterator())
    assert interleaved(counts.tolist(), 8, 16, len(shards) + 9).tolist() == shards
    assert interleaved(counts.tolist(), 8, 16, 50).tolist() == shards[:50]
    unknown = [None if i in shards[200:] else int(count) for i, count in enumerate(counts)]
    assert interleaved(unknown, 8, 16, 200).tolist() == shards[:200]


def test_finished_shards_without_a_shuffle():
    counts = [16, 16, 40, None]
    assert finished_shards(counts, 2, 16, 31).tolist() == [True, False, False, False]
    assert finished_shards(counts, 2, 16, 32).tolist() == [True, True, False, False]
    assert finished_shards(counts, 2, 16, 0).tolist() == [False] * 4


@pytest.fixture
def files(make):
    """Return 60 shards of unlike lengths, 1,830 videos in all."""
    places = np.cumsum([0, *range(1, 61)])
    return [
        make.shard(f"{n:02d}.tfrecord", [make.video_payload(i) for i in range(a, b)])
        for n, (a, b) in enumerate(zip(places, places[1:]))
    ]


OPTIONS = dict(training=True, seed=5, epoch=1, batch_size=10, shuffle_buffer=64)


def counted(files, schema, path, position, examples, **options):
    """Read the beginning of an epoch as a run does that is then stopped, and return its counts."""
    from yt8m.data.pipeline import build_dataset

    counts = ShardCounts(str(path))
    batches = build_dataset(files, schema, counts=counts, **options)
    for _ in batches.take(examples // options["batch_size"]):
        pass
    counts.save(position)
    return ShardCounts(str(path))


@pytest.mark.parametrize(
    ("examples", "training", "shards"),
    [
        *((examples, training, 8) for examples in (10, 700, 1500, 1820) for training in (1, 0)),
        (1500, True, 24),
    ],
)
def test_the_stream_goes_on_without_the_finished_shards(
    make, files, tmp_path, examples, training, shards
):
    options = {**OPTIONS, "training": bool(training), "shuffle_shards": shards}
    whole = stream(files, make.video, **options)
    kept = counted(files, make.video, tmp_path / "counts", (1, examples), examples, **options)
    remote = [f"file://{path}" for path in files]
    known = ShardCounts("")
    known._found = {f"file://{name}": count for name, count in kept._found.items()}
    known._position = kept._position
    with listing.asked_once():
        listing.sizes(remote)  # as every command does first
        with requests() as asked:
            rest = stream(remote, make.video, skip_examples=examples, counts=known, **options)
    same(rest, {key: value[examples:] for key, value in whole.items()})
    opened = {path for _, path in asked.asked}
    if examples == 1820:
        assert len(opened) < 25  # those of the last records, and of the 64 in the buffer
    elif examples == 10:
        assert len(opened) >= 56  # in order, the first four are over
    looked = stream(files, make.video, skip_examples=examples, **options)
    same(looked, rest)


def test_a_finished_shard_is_not_opened(make, files, tmp_path):
    whole = stream(files, make.video, **OPTIONS)
    counts = counted(files, make.video, tmp_path / "counts", (1, 1500), 1500, **OPTIONS)
    from yt8m.data.files.finished import Finished

    order = [files[i] for i in np.random.default_rng(seed_of(OPTIONS)).permutation(len(files))]
    finished = Finished(counts, (1, 1500), BadRecords()).shards(order, 1500, shuffle_of(make))
    assert len(finished) > 25
    for place in finished:  # of the same size and date, but nothing that can be read
        about = os.stat(order[place])
        with open(order[place], "r+b") as shard:
            shard.write(bytes(about.st_size))
        os.utime(order[place], ns=(about.st_atime_ns, about.st_mtime_ns))
    rest = stream(files, make.video, skip_examples=1500, counts=counts, **OPTIONS)
    same(rest, {key: value[1500:] for key, value in whole.items()})


def seed_of(options):
    return int(np.random.SeedSequence([options["seed"], options["epoch"]]).generate_state(1)[0])


def shuffle_of(make):
    seed = seed_of(OPTIONS)

    def shuffle(examples):
        def in_own_graph(_):
            tf.random.set_seed(seed)
            return examples.shuffle(64, seed=seed, reshuffle_each_iteration=False)

        return tf.data.Dataset.from_tensors(0).flat_map(in_own_graph)

    return shuffle


def test_a_shard_that_changed_is_read_again(make, files, tmp_path):
    counts = counted(files, make.video, tmp_path / "counts", (1, 1500), 1500, **OPTIONS)
    for path in files:
        os.utime(path, ns=(1, 1))
    whole = stream(files, make.video, **OPTIONS)
    rest = stream(files, make.video, skip_examples=1500, counts=counts, **OPTIONS)
    same(rest, {key: value[1500:] for key, value in whole.items()})


def test_counts_of_an_earlier_position_are_not_used(files, make, tmp_path):
    counts = counted(files, make.video, tmp_path / "counts", (1, 700), 700, **OPTIONS)
    assert any(counts.of(files, (1, 700)))
    assert any(counts.of(files, (0, 1000)))
    assert not any(counts.of(files, (1, 710)))


def test_broken_records_of_finished_shards_still_count(make, files, damage, tmp_path):
    places = [damage(path, 0, "payload") for path in files[20:30]]
    bad = BadRecords(10)
    whole = stream(files, make.video, bad_records=bad, **OPTIONS)
    assert len(bad.found) == len(places)
    options = {**OPTIONS, "bad_records": BadRecords(10)}
    counts = counted(files, make.video, tmp_path / "counts", (1, 1500), 1500, **options)
    again = BadRecords(10)
    rest = stream(
        files, make.video, skip_examples=1500, counts=counts, bad_records=again, **OPTIONS
    )
    same(rest, {key: value[1500:] for key, value in whole.items()})
    assert sorted(again.found) == sorted(bad.found)
    with pytest.raises(UserError, match="--max_bad_records=0"):
        stream(files, make.video, skip_examples=1500, counts=counts, **OPTIONS)


def test_a_damaged_file_is_as_none(tmp_path):
    path = tmp_path / "counts.json"
    counts = ShardCounts(str(path))
    counts.add("a", ShardCount(1, 2, 3, ((0, "broken"),)))
    counts.save((0, 5))
    assert ShardCounts(str(path)).of(["a"], (0, 5)) == [ShardCount(1, 2, 3, ((0, "broken"),))]
    for content in (b"", b"[]", path.read_bytes()[:40], b"\xff"):
        path.write_bytes(content)
        assert ShardCounts(str(path)).of(["a"], (0, 5)) == [None]
