"""An input that ends earlier than it said, as a damaged Parquet file does, is refused by name."""

import numpy as np
import pytest

from yt8m.convert.sources.protos import RecordFiles
from yt8m.convert.sources.tables import Roles, Table, TableFiles
from yt8m.data.records.writers import video_record, write_shard
from yt8m.errors import UserError


class ShorterEachTime(Table):
    """A table that has a row less each time that it is read."""

    columns = ("id", "x")
    rows_left = 3

    def numeric(self):
        return {"x": True}

    def rows(self, columns, ranges=None):
        self.rows_left -= 1
        for n in range(self.rows_left):
            yield {"id": f"v{n}", "x": [1.0, 2.0]}


def test_rows_that_are_gone():
    source = TableFiles({"a.parquet": (ShorterEachTime(), Roles("id", "", "", {"x": ["x"]}))})
    assert [item.id for item in source.items()] == ["v0", "v1"]
    with pytest.raises(UserError, match=r"--input=a\.parquet has fewer rows than when"):
        list(source.read([0, 1]))


def test_records_that_are_gone(tmp_path):
    path = f"{tmp_path}/x.tfrecord"
    records = [video_record(b"v%d" % i, {"x": np.ones(3, np.float32)}, [0]) for i in range(3)]
    write_shard(path, records)
    source = RecordFiles([path])
    assert len(list(source.items())) == 3
    write_shard(path, records[:2])
    with pytest.raises(UserError, match=r"x\.tfrecord has fewer records than when"):
        list(source.read([0, 2]))
