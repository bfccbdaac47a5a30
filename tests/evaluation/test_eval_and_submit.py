"""A run's model gives the same numbers when it is evaluated, bundled and submitted."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import run_on
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.writers import video_record, write_shard
from yt8m.errors import UserError
from yt8m.evaluation.watch import evaluate_run, watch
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.models.core import registry
from yt8m.runs.bundle import open_bundle, write_bundle
from yt8m.runs.config import ModelConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.overrides import check_overrides
from yt8m.runs.predictor import Predictor
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.kaggle_videos import CsvWriter, read_csv
from yt8m.submission.predict import predict
from yt8m.submission.score_files import ScoreFile, ScoreWriter
from yt8m.training.trainer import train

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(small_data, tmp_path_factory):
    """A finished MoE run."""
    folder = str(tmp_path_factory.mktemp("runs") / "moe")
    train(run_on(small_data, "MoeModel", recipe={"num_epochs": 3}), folder)
    return folder


def best(run):
    with open(os.path.join(run, "best", "metrics.json")) as f:
        return json.load(f)


def test_eval_gives_the_validation_again(run, small_data, tmp_path):
    result = evaluate_run(
        TrainedModel(run), small_data.pattern("validate", "video"), str(tmp_path), batch_size=37
    )
    for key in ("gap", "map", "perr", "hit_at_1", "hit_at_5", "loss"):
        assert result[key] == pytest.approx(best(run)[key], abs=1e-6)
    assert result["num_examples"] == 160
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["gap"] == result["gap"]
    ap = json.loads((tmp_path / "per_class_ap.json").read_text())
    assert len(ap["ap"]) == 12


def test_prediction_continues_after_a_record_that_cannot_be_parsed(run, small_data, tmp_path):
    payloads = [
        r.numpy() for r in tf.data.TFRecordDataset(find_shards(small_data.pattern("test", "video")))
    ]
    path, csv = str(tmp_path / "x.tfrecord"), str(tmp_path / "s.csv")
    write_shard(path, [*payloads[:20], b"garbage payload", *payloads[20:]])
    said = []
    with CsvWriter(csv, 20) as out:
        trained = TrainedModel(run)
        count = predict(trained, path, [out], batch_size=8, max_bad_records=1, say=said.append)
    assert count == 40
    assert [row.id for row in read_csv(csv)] == [
        tf.train.Example.FromString(p).features.feature["id"].bytes_list.value[0].decode()
        for p in payloads
    ]
    assert any("skipped 1 broken" in line for line in said)


def test_ids_that_name_no_video_cause_warnings(run, small_data, tmp_path):
    def records(*ids):
        path = str(tmp_path / "x.tfrecord")
        values = {"mean_rgb": np.ones(32, np.float32), "mean_audio": np.ones(8, np.float32)}
        write_shard(path, [video_record(i, values, [1], id_key="video_id") for i in ids])
        return path

    trained, said = TrainedModel(run), []
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


def test_submission_alone_gives_the_same_gap(run, small_data, tmp_path):
    csv, scores = str(tmp_path / "s.csv"), str(tmp_path / "scores")
    pattern = small_data.pattern("validate", "video")
    trained = TrainedModel(run)
    with CsvWriter(csv, 20) as a, ScoreWriter(scores, 12, "float32") as b:
        assert predict(trained, pattern, [a, b]) == 160
    batch = next(iter(build_dataset(find_shards(pattern), trained.config.schema, batch_size=160)))
    ids = [i.decode() for i in batch["id"].numpy()]
    rows = list(read_csv(csv, 12))
    assert [row.id for row in rows] == ids
    submitted = np.zeros((160, 12), np.float32)
    for place, row in zip(submitted, rows):
        place[row.classes] = row.scores
    metrics = EvaluationMetrics(12)
    metrics.update(submitted, batch["labels"].numpy())
    assert metrics.result()["gap"] == pytest.approx(best(run)["gap"], abs=1e-4)
    stored = ScoreFile(scores)
    assert list(stored.ids) == ids
    np.testing.assert_allclose(np.asarray(stored.scores), trained.predictor(160)(batch), atol=1e-6)


def test_a_bundle_predicts_like_the_run(run, small_data, tmp_path):
    bundle = str(tmp_path / "model.tgz")
    write_bundle(run, bundle)
    opened = TrainedModel(open_bundle(bundle, str(tmp_path / "opened")))
    files = find_shards(small_data.pattern("test", "video"))
    batch = next(iter(build_dataset(files, opened.config.schema, batch_size=40, with_labels=False)))
    np.testing.assert_allclose(
        opened.predictor(40)(batch), TrainedModel(run).predictor(16 * 3)(batch), atol=1e-6
    )


def test_a_bundle_that_is_cut_off_or_damaged_is_refused(run, tmp_path):
    path, folder = tmp_path / "model.tgz", str(tmp_path / "opened")
    write_bundle(run, str(path))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in [whole[: int(len(whole) * part)] for part in (0.001, 0.3, 0.6, 0.99)] + [
        bytes(flipped)
    ]:
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"is not a .tgz bundle, or not a whole one"):
            open_bundle(str(path), folder)
        assert not os.path.exists(folder)


def test_other_files_are_not_bundles(tmp_path):
    (tmp_path / "x.tgz").write_text("no")
    with pytest.raises(UserError, match="--input_model_tgz"):
        open_bundle(str(tmp_path / "x.tgz"), str(tmp_path / "o"))
    with pytest.raises(UserError, match="does not exist"):
        open_bundle(str(tmp_path / "none.tgz"), str(tmp_path / "o"))


def test_predictor_over_two_replicas_equals_one(run, small_data, mirrored):
    config = RunFolder(run).load_config()
    one = TrainedModel(run)
    with mirrored.scope():
        model = registry.create(
            "MoeModel", num_classes=12, feature_sizes=config.schema.feature_sizes
        ).build_weights()
    model.set_weights(one.model.get_weights())
    files = find_shards(small_data.pattern("validate", "video"))
    dataset = build_dataset(files, config.schema, batch_size=33)
    many = np.concatenate([p for _, p in Predictor(mirrored, model, 33).over(dataset)])
    single = np.concatenate([p for _, p in one.predictor(33).over(dataset)])
    assert many.shape == (160, 12)
    np.testing.assert_allclose(many, single, atol=1e-6)


def test_overrides_must_agree(run):
    config = RunFolder(run).load_config()
    check_overrides(config, {"model": "MoeModel", "num_classes": 12, "label_loss": None})
    with pytest.raises(UserError, match="the run has 12, the flag says 3862"):
        check_overrides(config, {"num_classes": 3862})


def test_the_starter_codes_model_flags_must_agree(run):
    config = RunFolder(run).load_config()
    check_overrides(
        config,
        {
            "moe_num_mixtures": 2,
            "feature_sizes": [32, 8],
            "iterations": config.recipe.train_frames,
            "lstm_cells": None,
        },
    )
    with pytest.raises(UserError, match="moe_num_mixtures: the run has 2, the flag says 4"):
        check_overrides(config, {"moe_num_mixtures": 4})
    with pytest.raises(
        UserError,
        match=r"lstm_cells: the run has '.no such argument of MoeModel.', the flag says 1024",
    ):
        check_overrides(config, {"lstm_cells": 1024})
    lstm = dataclasses.replace(config, model=ModelConfig("LstmModel", {"head": "logistic"}))
    for head in ("LogisticModel", "logistic"):
        check_overrides(lstm, {"video_level_classifier_model": head, "lstm_layers": 2})
    with pytest.raises(UserError, match="the run has 'LogisticModel', the flag says 'MoeModel'"):
        check_overrides(lstm, {"video_level_classifier_model": "MoeModel"})


STARTER_FLAGS = """\
--train_dir=/nowhere --batch_size=4 --num_readers=4 --top_k=5 --segment_labels --model=LstmModel
--feature_names=rgb --feature_sizes=1024 --frame_features --label_loss=CrossEntropyLoss
--iterations=30 --sample_random_frames --dbof_add_batch_norm --dbof_cluster_size=8192
--dbof_hidden_size=1024 --dbof_pooling_method=max --dbof_activation=sigmoid
--video_level_classifier_model=MoeModel --moe_num_mixtures=2 --lstm_cells=1024 --lstm_layers=2
"""
OWN_FLAGS = {
    "eval": "--eval_data_pattern=x --run_once",
    "inference": """
        --input_data_pattern=x --input_model_tgz= --untar_model_dir=x --segment_max_pred=5
        --segment_label_ids_file=x --output_file=x --output_model_tgz=
    """,
}


@pytest.mark.parametrize("script", ["eval", "inference"])
def test_every_flag_of_the_starter_codes_scripts_is_known(script):
    """The flags of spec A.10 are all given, and the only mistake reported is a missing folder."""
    command = [
        sys.executable,
        str(ROOT / f"{script}.py"),
        *STARTER_FLAGS.split(),
        *OWN_FLAGS[script].split(),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().startswith("error: --train_dir=/nowhere does not exist")


def test_records_without_labels_are_not_evaluated(run, small_data, tmp_path):
    with pytest.raises(UserError, match="no labels"):
        evaluate_run(TrainedModel(run), small_data.pattern("test", "video"), str(tmp_path / "e"))
    assert not (tmp_path / "e").exists()


def test_watch_reports_that_it_waits_and_refuses_a_missing_folder(tmp_path, capsys):
    with pytest.raises(UserError, match=r"--train_dir=.* does not exist"):
        watch(str(tmp_path / "nowhere"), lambda: None)
    (tmp_path / "done").write_text("")
    watch(str(tmp_path), lambda: None, poll_seconds=0.01)
    assert f"waiting for the first model of the run in {tmp_path}" in capsys.readouterr().out


def test_watch_sees_each_model_and_ends_with_the_run(tmp_path):
    folder = RunFolder(str(tmp_path))
    seen = []

    def live():
        for value in ("1", "22"):
            folder.write_text("best/model.weights.h5", value)
            folder.write_text("best/metrics.json", value)
            time.sleep(0.4)
        folder.write_text("done", "")

    thread = threading.Thread(target=live)
    thread.start()
    watch(
        str(tmp_path),
        lambda: seen.append((tmp_path / "best" / "model.weights.h5").read_text()),
        poll_seconds=0.05,
    )
    thread.join()
    assert seen == ["1", "22"]
