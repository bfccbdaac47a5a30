"""The record of a video is found again, to name it where its scores are no numbers."""

import numpy as np
import pytest

from tests.support.commands import refused, run_command
from tests.support.records import CLASSES, Maker
from tests.support.runs import new_run
from tests.support.untrained import save_untrained
from yt8m.data.records.where import where_is
from yt8m.data.records.writers import video_record, write_shard


@pytest.fixture
def shard(tmp_path):
    """A shard whose second record has a value that is NaN, and whose third is empty."""
    rng = np.random.default_rng(0)
    records = []
    for i in range(4):
        features = {"mean_rgb": rng.normal(size=6), "mean_audio": rng.normal(size=2)}
        if i == 1:
            features["mean_rgb"][3] = np.nan
        features = {name: values.astype(np.float32) for name, values in features.items()}
        records.append(video_record(b"vid%d" % i, features, [i % CLASSES]))
    records[2] = b""
    write_shard(f"{tmp_path}/x.tfrecord", records)
    return f"{tmp_path}/x.tfrecord"


@pytest.fixture
def run(tmp_path):
    Maker(tmp_path / "good").shards("video", 20, 1)
    config = new_run(f"{tmp_path}/good/*.tfrecord", "LogisticModel", schema=Maker.video)
    return save_untrained(config, tmp_path / "run")


def test_a_record_and_what_is_wrong_with_it(shard):
    first = where_is([shard], b"vid0", Maker.video)
    assert (first.file, first.offset, first.problem) == (shard, 0, "")
    second = where_is([shard], b"vid1", Maker.video)
    assert second.offset > 0
    assert second.problem == "1 of 8 values are NaN or infinite"
    assert where_is([shard], b"none", Maker.video) is None


@pytest.mark.parametrize("command", ["predict", "eval"])
def test_scores_that_are_no_numbers_name_the_video_and_its_record(command, shard, run, tmp_path):
    flags = {
        "predict": [f"--input_data_pattern={shard}", f"--output_file={tmp_path}/o.csv"],
        "eval": [f"--eval_data_pattern={shard}"],
    }[command]
    message = refused(command, f"--train_dir={run}", *flags, "--max_bad_records=1")
    assert f"first those of 'vid1' in {shard} at byte " in message
    assert "1 of 8 values are NaN or infinite" in message


def test_an_empty_record_is_called_so(shard):
    ended = run_command("inspect", "--full", shard)
    assert ended.code == 1
    assert "it is empty (0 bytes)" in ended.out
