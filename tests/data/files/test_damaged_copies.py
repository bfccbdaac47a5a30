"""A copy of a shard, or what stands in its place, damaged in every way: the shard is read."""

import logging

import pytest

from tests.support.damages import each_damage
from tests.support.records import same, stream
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import RecordCache


@pytest.mark.parametrize("unfinished", [False, True])
def test_the_records_are_those_of_the_shard(unfinished, make, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    (path,) = make.shards("video", 40, 1)
    where = tmp_path / "cache"

    def read():
        bad = BadRecords()
        return stream([path], make.video, cache=RecordCache(str(where)), bad_records=bad)

    plain = stream([path], make.video)
    same(plain, read())
    (copy,) = where.iterdir()
    if unfinished:
        copy = copy.rename(f"{copy}.partial")
    for damage in each_damage(copy, tmp_path / "kept"):
        caplog.clear()
        same(plain, read())
        if damage.startswith("flipped") and not unfinished:
            (said,) = [r.getMessage() for r in caplog.records]
            assert (
                said == f"{copy} is damaged, and is deleted; {path}, of which it is a copy, is"
                " read instead."
            )
            assert not copy.exists()


def test_a_shard_that_is_broken_itself_keeps_its_copy(make, damage, tmp_path, caplog):
    (path,) = make.shards("video", 40, 1)
    damage(path, 3, "payload")
    for _ in range(2):
        bad = BadRecords(1)
        stream([path], make.video, cache=RecordCache(str(tmp_path / "cache")), bad_records=bad)
        assert [record.file for record in bad.found] == [path]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert not caplog.records
