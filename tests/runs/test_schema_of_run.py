"""A resumed run keeps what its records do not say and no flag repeats."""

import numpy as np

from tests.support.clips import clip
from tests.support.commands import refused, run_command
from yt8m.data.records.writers import video_record, write_shard

_FRAME = list(range(128))


def train(folder, model, *flags):
    given = f"--train_dir={folder}/run", f"--train_data_pattern={folder}/*.tfrecord"
    return "train", f"--model={model}", *given, "--batch_size=8", "--num_epochs=1", *flags


def test_the_number_of_classes_of_records_of_no_release(tmp_path):
    rng = np.random.default_rng(0)
    records = [video_record(b"v%d" % i, {"mean_x": rng.normal(size=4)}, [i % 3]) for i in range(16)]
    write_shard(str(tmp_path / "a.tfrecord"), records)
    assert "the number of classes is unknown" in refused(*train(tmp_path, "LogisticModel"))
    first = run_command(*train(tmp_path, "LogisticModel", "--num_classes=5"))
    assert first.code == 0, first.err
    again = run_command(*train(tmp_path, "LogisticModel"))
    assert again.code == 0, again.err
    assert "5 classes (as in the run)" in again.out
    assert "already done" in again.out
    new = refused(*train(tmp_path, "LogisticModel", "--start_new_model"))
    assert "the number of classes is unknown" in new


def test_the_most_frames_of_a_release_that_was_not_recognized(tmp_path):
    write_shard(str(tmp_path / "a.tfrecord"), [clip([i], [_FRAME] * 10) for i in range(16)])
    first = run_command(*train(tmp_path, "FrameLevelLogisticModel", "--max_frames=300"))
    assert first.code == 0, first.err
    again = run_command(*train(tmp_path, "FrameLevelLogisticModel"))
    assert again.code == 0, again.err
    assert "already done" in again.out
