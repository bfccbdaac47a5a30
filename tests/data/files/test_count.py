"""Records are counted exactly if that is cheap, and estimated by size otherwise."""

from yt8m.data.files import count


def test_exact(make):
    assert count.count_records(make.shards("frame", 33, 4)) == (33, True)


def test_estimate_spans_all_shards(make, monkeypatch):
    # The last shards hold records of ten times the size; a sample that stops early is far off.
    small = [make.shard(f"a{s:02d}.tfrecord", [b"x" * 100] * 20) for s in range(16)]
    large = [make.shard(f"b{s:02d}.tfrecord", [b"x" * 1000] * 20) for s in range(16)]
    monkeypatch.setattr(count, "_SHARDS_TO_WALK", 8)
    records, exact = count.count_records(small + large)
    assert not exact
    assert abs(records - 640) < 10


def test_sample_reaches_the_last_shard(make, monkeypatch):
    walked = []
    sizes = count.record_sizes
    monkeypatch.setattr(count, "_SHARDS_TO_WALK", 8)
    monkeypatch.setattr(count, "record_sizes", lambda f, n: walked.append(f) or sizes(f, n))
    files = [make.shard(f"{s:03d}.tfrecord", [b"x" * 10]) for s in range(31)]
    assert count.count_records(files) == (31, False)
    assert len(walked) == 16
    assert walked[0] == files[0]
    assert walked[-1] == files[-1]


def test_no_record(make):
    assert count.count_records([make.shard("empty.tfrecord", [])]) == (0, True)


def test_remote_shards_are_counted_from_their_first_records(make, monkeypatch):
    folder = f"file://{make.folder}"
    files = [make.shard(f"{s:03d}.tfrecord", [b"x" * 1000] * 500) for s in range(3)]
    walked = []
    sizes = count.record_sizes
    monkeypatch.setattr(
        count, "record_sizes", lambda *a: (walked.append(s) or s for s in sizes(*a))
    )
    remote = [f.replace(str(make.folder), folder) for f in files]
    assert count.count_records(remote) == (1500, False)
    assert len(walked) == 3 * 64  # and not the 1,500 of whole shards


def test_zeros_at_the_end_of_a_shard_do_not_count(make):
    files = [make.shard(f"{s}.tfrecord", [b"x" * 100] * 60) for s in range(3)]
    with open(files[1], "ab") as f:
        f.write(bytes(5_000_000))
    assert count.count_records(files) == (180, True)


def test_zeros_at_the_end_of_remote_shards_do_not_count(make):
    files = [make.shard(f"{s}.tfrecord", [b"x" * 1000] * 500) for s in range(3)]
    for path in files[1:]:
        with open(path, "ab") as f:
            f.write(bytes(2_000_000))
    remote = [f"file://{path}" for path in files]
    assert count.count_records(remote) == (1500, False)


def test_zeros_are_looked_for_in_all_shards_if_some_have_them(make, monkeypatch):
    files = [make.shard(f"{s}.tfrecord", [b"x" * 100] * 60) for s in range(5)]
    monkeypatch.setattr(count, "_SHARDS_TO_WALK", 2)
    monkeypatch.setattr(count, "_ENDS_TO_READ", 3)
    for path in (files[4], files[3]):
        with open(path, "ab") as f:
            f.write(bytes(5_000))
    assert count.count_records(files) == (300, False)
