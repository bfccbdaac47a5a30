"""The scan finds the records behind broken ones."""

import os

import pytest

from yt8m.data.files.checksum import masked_crc32c
from yt8m.data.files.scan import record_sizes, scan


@pytest.fixture
def shard(make):
    return make.shard("x.tfrecord", [make.video_payload(i) for i in range(40)])


def test_crc32c_known_value():
    crc = 0xE3069283  # of "123456789", the usual check value of CRC-32C
    assert masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_whole_file(make, shard):
    found = list(scan(shard))
    assert [r.payload for r in found] == [make.video_payload(i) for i in range(40)]
    assert found[0].offset == 0
    assert not any(r.problem for r in found)


def test_from_a_record_on(make, shard):
    start = list(scan(shard))[30].offset
    assert [r.payload for r in scan(shard, start)] == [make.video_payload(i) for i in range(30, 40)]


def test_broken_payload_costs_one_record(make, shard, damage):
    at = damage(shard, 11, "payload")
    found = list(scan(shard))
    broken = [r for r in found if r.problem]
    assert [(r.offset, r.lost) for r in broken] == [(at, False)]
    assert "checksum" in broken[0].problem
    assert [r.payload for r in found if r.payload] == [
        make.video_payload(i) for i in range(40) if i != 11
    ]


@pytest.mark.parametrize(("part", "word"), [("length", "length is broken"), ("cut", "cut off")])
def test_lost_place_ends_the_walk(make, shard, damage, part, word):
    at = damage(shard, 11, part)
    found = list(scan(shard))
    assert len(found) == 12
    assert found[-1].offset == at
    assert found[-1].lost
    assert word in found[-1].problem
    assert [r.payload for r in found[:-1]] == [make.video_payload(i) for i in range(11)]


def test_cut_in_a_header(shard):
    with open(shard, "ab") as f:
        f.write(b"\x01\x02\x03")
    assert list(scan(shard))[-1].problem == "cut off: 3 bytes of a 12-byte header"


def test_record_sizes(make, shard):
    sizes = list(record_sizes(shard))
    assert sizes == [len(make.video_payload(i)) + 16 for i in range(40)]
    assert list(record_sizes(shard, 3)) == sizes[:3]


def test_zeros_at_the_end_are_no_records(make, shard):
    with open(shard, "ab") as f:
        f.write(bytes(5_000_000))
    assert len(list(record_sizes(shard))) == 40
    assert len(list(record_sizes(f"file://{shard}"))) == 40


def test_sizes_take_a_few_bytes_of_a_record(make, monkeypatch):
    path = make.shard("x.tfrecord", [bytes(100_000)] * 30)
    read, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda *a: read.append(pread(*a)) or read[-1])
    assert len(list(record_sizes(path))) == 30
    assert sum(map(len, read)) == 30 * 12
