"""Predictions in the order of the records, corrupt records and unusual ids included."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import run_on
from tests.support.untrained import save_untrained
from yt8m.data.files.shards import find_shards
from yt8m.data.records.writers import video_record, write_shard
from yt8m.errors import UserError
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.kaggle_videos import CsvWriter, read_csv
from yt8m.submission.predict import predict
from yt8m.submission.score_files import ScoreWriter


@pytest.fixture(scope="module")
def trained(small_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return TrainedModel(save_untrained(run_on(small_data, "LogisticModel"), folder))


def test_prediction_continues_after_a_record_that_cannot_be_parsed(trained, small_data, tmp_path):
    payloads = [
        r.numpy() for r in tf.data.TFRecordDataset(find_shards(small_data.pattern("test", "video")))
    ]
    path, csv = str(tmp_path / "x.tfrecord"), str(tmp_path / "s.csv")
    write_shard(path, [*payloads[:20], b"garbage payload", *payloads[20:]])
    said = []
    with CsvWriter(csv, 20) as out:
        count = predict(trained, path, [out], batch_size=8, max_bad_records=1, say=said.append)
    assert count == 40
    assert [row.id for row in read_csv(csv)] == [
        tf.train.Example.FromString(p).features.feature["id"].bytes_list.value[0].decode()
        for p in payloads
    ]
    assert any("skipped 1 broken" in line for line in said)


def test_ids_that_name_no_video_cause_warnings(trained, tmp_path):
    def records(*ids):
        path = str(tmp_path / "x.tfrecord")
        values = {"mean_rgb": np.ones(32, np.float32), "mean_audio": np.ones(8, np.float32)}
        write_shard(path, [video_record(i, values, [1], id_key="video_id") for i in ids])
        return path

    said = []
    repeated = records(b"a", b"same", b"same", b"same", b"\xff")
    with CsvWriter(str(tmp_path / "s.csv")) as out:
        assert predict(trained, repeated, [out], say=said.append) == 5
    assert any("warning: 2 of 5 ids repeat an earlier one, first 'same'" in line for line in said)
    assert [row.id for row in read_csv(str(tmp_path / "s.csv"))][-1] == "\\xff"
    empty = records(b"", b"")
    refused = pytest.raises(UserError, match="2 of 2 videos have an empty id")
    with refused, CsvWriter(str(tmp_path / "t.csv")) as out:
        predict(trained, empty, [out], say=said.append)
    # Late copies of the 2017 release can still be scored and fused.
    with ScoreWriter(str(tmp_path / "scores"), 12) as out:
        assert predict(trained, empty, [out], say=said.append) == 2
    assert any("warning: 2 of 2 ids are empty" in line for line in said)
