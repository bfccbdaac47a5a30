"""A length that no file could hold does not end the process."""

import struct

import pytest

from tests.data.files.test_bad_records import read
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.checksum import masked_crc32c
from yt8m.data.files.lengths import may_be_read
from yt8m.data.inspect import main as inspect
from yt8m.data.priors import sampled_counts
from yt8m.data.record_index import build_index


def header(length):
    packed = struct.pack("<Q", length)
    return packed + struct.pack("<I", masked_crc32c(packed))


@pytest.fixture
def with_length(make, damage):
    """Give the sixth of ten records another length, with the right checksum."""

    def shard(length):
        [path] = make.shards("video", 10, 1)
        at = damage(path, 5, "payload")
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(header(length))
        return path

    return shard


@pytest.mark.parametrize("length", [1 << 41, (1 << 63) - 1, (1 << 64) - 1])
def test_it_is_one_broken_record(length, with_length, make, capsys):
    # TensorFlow's own reader would ask for so much memory, and abort.
    path = with_length(length)
    bad = BadRecords(1)
    assert read([path], make.video, bad) == list(range(5))
    assert len(bad.found) == 1
    assert build_index([path], "video", 10, BadRecords(1)).num_records == 5
    assert sampled_counts([path], make.video)[1] == 5
    assert inspect(["--full", path]) == 1
    assert "1 broken" in capsys.readouterr().out


def test_it_may_begin_in_the_last_bytes(make, capsys):
    path = make.shard("a.tfrecord", [b"x" * 40])
    with open(path, "ab") as f:
        f.write(header(1 << 62))
    assert not may_be_read(path)
    [sound] = make.shards("video", 10, 1)
    with open(sound, "ab") as f:
        f.write(header(1 << 62) + b"abc")
    assert inspect(["--full", sound]) == 1
    assert "1 broken" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("length", "may"), [(1 << 41, False), ((1 << 64) - 1, False), (1 << 20, True), (3, True)]
)
def test_what_tensorflow_may_read(length, may, with_length):
    path = with_length(length)
    assert may_be_read(path) == may
    assert may_be_read(f"file://{path}")


def test_a_length_with_a_wrong_checksum_is_tensorflows(make):
    path = make.shard("a.tfrecord", [b"x" * 40])
    with open(path, "r+b") as f:
        f.write(struct.pack("<Q", 1 << 41))
    assert may_be_read(path)
