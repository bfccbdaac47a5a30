"""The submission of 2019 from a frame-level model of whole videos or of rated segments."""

import signal

import numpy as np
import pytest

from tests.support.commands import run_command
from tests.support.records import rgb_audio_frames
from tests.support.runs import new_run, run_on
from tests.support.stopping import stop_after
from tests.support.untrained import save_untrained
from yt8m.data.find_schema import find_schema
from yt8m.data.records.segments import parse_windows
from yt8m.data.records.writers import write_shard
from yt8m.errors import UserError
from yt8m.runs.overrides import check_overrides
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.kaggle_segments import read_segment_csv
from yt8m.submission.outputs import csv_writer, refuse_without_csv
from yt8m.submission.predict import predict
from yt8m.submission.score_files import ScoreFile, ScoreWriter

LENGTHS = (7, 3, 12, 10)  # 2 + 1 + 3 + 2 windows


def record(i, frames, **kwargs):
    x = np.random.default_rng(i).integers(0, 256, (frames, 8), dtype=np.uint8)
    return rgb_audio_frames(i, x, **kwargs)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs `whole` and `rated`, and a test split without labels."""
    folder = tmp_path_factory.mktemp("segments")
    ratings = [(0, 1, 1.0), (5, 2, 1.0), (5, 1, 0.0)]
    shard = str(folder / "train.tfrecord")
    write_shard(shard, [record(i, 12, labels=[i % 4], segments=ratings) for i in range(8)])
    write_shard(
        str(folder / "test.tfrecord"),
        [record(100 + i, n, labels=None) for i, n in enumerate(LENGTHS)],
    )
    for name, segments in (("whole", False), ("rated", True)):
        config = new_run(
            shard,
            "FrameLevelLogisticModel",
            schema=find_schema([shard], num_classes=4, segment_labels=segments)[0],
            recipe={"batch_size": 4},
        )
        save_untrained(config, folder / name)
    return folder


@pytest.mark.parametrize("run", ["whole", "rated"])
def test_every_window_of_unrated_videos_is_ranked(made, tmp_path, run):
    trained = TrainedModel(str(made / run), segment_labels=True)
    pattern = str(made / "test.tfrecord")
    (tmp_path / "ids.csv").write_text("Index\n3\n1\n")
    csv = csv_writer(str(tmp_path / "s.csv"), True, 20, 6, str(tmp_path / "ids.csv"))
    with csv, ScoreWriter(str(tmp_path / "s"), 4) as scores:
        assert predict(trained, pattern, [csv, scores], batch_size=3) == 8
    stored = ScoreFile(str(tmp_path / "s"))
    assert stored.ids == [
        f"v{100 + i}:{start}" for i, n in enumerate(LENGTHS) for start in range(0, n, 5)
    ]
    windows = [
        parse_windows(record(100 + i, n, labels=None), trained.config.schema)
        for i, n in enumerate(LENGTHS)
    ]
    inputs = {k: np.concatenate([w[k] for w in windows]) for k in ("frames", "num_frames")}
    np.testing.assert_allclose(stored.scores, trained.model(inputs, training=False), atol=1e-6)
    expected = [
        (c, [stored.ids[i] for i in np.argsort(-stored.scores[:, c], kind="stable")[:6]])
        for c in (1, 3)
    ]
    assert list(read_segment_csv(str(tmp_path / "s.csv"))) == expected


def test_what_does_not_fit_is_refused(made, small_data, tmp_path):
    with pytest.raises(UserError, match="segment_labels: the run has True, the flag says False"):
        check_overrides(TrainedModel(str(made / "rated")).config, {"segment_labels": False})
    check_overrides(TrainedModel(str(made / "whole")).config, {"segment_labels": True})
    with pytest.raises(UserError, match="--segment_max_pred: applies only to five-second segments"):
        csv_writer(str(tmp_path / "s.csv"), False, segment_max_pred=5)
    csv_writer(
        str(tmp_path / "s.csv"), False, segment_max_pred=100_000
    ).abandon()  # the starter code's default
    trained = TrainedModel(str(made / "rated"))
    with pytest.raises(UserError, match="--eval_frames=3: all 5 frames"):
        predict(trained, str(made / "test.tfrecord"), [], eval_frames=3)
    with pytest.raises(UserError, match="cut from frames"):
        predict(trained, small_data.pattern("test", "video"), [])
    said = []
    csv_writer(str(tmp_path / "s.csv"), True, say=said.append).abandon()
    assert "without --segment_label_ids_file every class gets a line" in said[0]
    refuse_without_csv()
    with pytest.raises(
        UserError,
        match="--segment_label_ids_file: applies only to the submission, and there is no",
    ):
        refuse_without_csv(5, "ids.csv")


def test_a_video_level_model_has_no_segments(small_data, tmp_path):
    save_untrained(run_on(small_data, "LogisticModel"), tmp_path)
    with pytest.raises(
        UserError, match=r"--segment_labels: .* LogisticModel, which takes video-level means"
    ):
        TrainedModel(str(tmp_path), segment_labels=True)


def test_the_command_writes_the_submission_of_segments(made, tmp_path):
    out = tmp_path / "s.csv"
    done = run_command(
        "predict",
        f"--train_dir={made}/whole",
        f"--input_data_pattern={made}/test.tfrecord",
        f"--output_file={out}",
        f"--output_scores={tmp_path}/s",
        "--segment_labels",
        "--segment_max_pred=2",
    )
    assert done.code == 0, done.err
    assert "8 segments in" in done.out
    assert out.read_text().startswith("Class,Segments\n0,v10")
    assert [len(segments) for _, segments in read_segment_csv(str(out))] == [2, 2, 2, 2]
    assert ScoreFile(str(tmp_path / "s")).meta["segments"] is True


@pytest.mark.parametrize("batches", [1, 2])  # a stop between two videos, and within one
def test_windows_go_on_where_they_were_stopped(made, tmp_path, monkeypatch, batches):
    written = []
    for out in (tmp_path / "whole", tmp_path / "stopped"):
        given = [
            f"--train_dir={made}/whole",
            f"--input_data_pattern={made}/test.tfrecord",
            f"--output_file={out}/s.csv",
            f"--output_scores={out}/scores",
            "--segment_labels",
            "--batch_size=2",
        ]
        if out.name == "stopped":
            stop_after(batches, monkeypatch)
            assert run_command("predict", *given).code == 128 + signal.SIGTERM
            monkeypatch.undo()
        ended = run_command("predict", *given)
        assert ended.code == 0, ended.err
        files = [out / "s.csv", *sorted((out / "scores").iterdir())]
        written.append([file.read_bytes() for file in files])
        assert len(list(out.iterdir())) == 2
    assert written[0] == written[1]
    assert len(written[0]) == 4


def test_another_list_of_classes_starts_from_the_beginning(made, tmp_path, monkeypatch):
    classes, out = tmp_path / "ids.csv", tmp_path / "s.csv"
    given = [
        f"--train_dir={made}/whole",
        f"--input_data_pattern={made}/test.tfrecord",
        f"--output_file={out}",
        f"--segment_label_ids_file={classes}",
        "--segment_labels",
        "--batch_size=2",
    ]
    classes.write_text("1\n")
    stop_after(2, monkeypatch)
    assert run_command("predict", *given).code == 128 + signal.SIGTERM
    monkeypatch.undo()
    classes.write_text("1\n3\n")
    ended = run_command("predict", *given)
    assert "starting from the beginning: --segment_label_ids_file changed" in ended.out
    assert [len(segments) for _, segments in read_segment_csv(str(out))] == [8, 8]
