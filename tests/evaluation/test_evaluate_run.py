"""The evaluation of a run gives its validation's numbers again, and so does its submission."""

import json
import os

import numpy as np
import pytest

from tests.support.commands import refused, run_command
from tests.support.runs import run_on
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.files import read_json
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.kaggle_videos import CsvWriter, read_csv
from yt8m.submission.predict import predict
from yt8m.submission.score_files import ScoreFile, ScoreWriter
from yt8m.training.trainer import train


@pytest.fixture(scope="module")
def run(small_data, tmp_path_factory):
    """A finished MoE run."""
    folder = str(tmp_path_factory.mktemp("runs") / "moe")
    train(run_on(small_data, "MoeModel", recipe={"num_epochs": 1}), folder)
    return folder


@pytest.fixture
def validated(run):
    """The metrics of the run's last validation."""
    return read_json(os.path.join(run, "best", "metrics.json"))


def test_eval_gives_the_validation_again(run, validated, small_data, tmp_path):
    result = evaluate_run(
        TrainedModel(run), small_data.pattern("validate", "video"), str(tmp_path), batch_size=37
    )
    for key in ("gap", "map", "perr", "hit_at_1", "hit_at_5", "loss"):
        assert result[key] == pytest.approx(validated[key], abs=1e-6)
    assert result["num_examples"] == 160
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["gap"] == result["gap"]
    ap = json.loads((tmp_path / "per_class_ap.json").read_text())
    assert len(ap["ap"]) == 12


def test_submission_alone_gives_the_same_gap(run, validated, small_data, tmp_path):
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
    assert metrics.result()["gap"] == pytest.approx(validated["gap"], abs=1e-4)
    stored = ScoreFile(scores)
    assert list(stored.ids) == ids
    np.testing.assert_allclose(np.asarray(stored.scores), trained.predictor(160)(batch), atol=1e-6)


def test_records_without_labels_are_not_evaluated(run, small_data, tmp_path):
    with pytest.raises(UserError, match="no labels"):
        evaluate_run(TrainedModel(run), small_data.pattern("test", "video"), str(tmp_path / "e"))
    assert not (tmp_path / "e").exists()


def test_map_over_all_classes_counts_those_without_positives_as_zero(run, small_data, tmp_path):
    said = []
    train_dir, trained = f"--train_dir={run}", TrainedModel(run)
    data = small_data.pattern("validate", "video")
    usual = evaluate_run(trained, data, str(tmp_path / "a"), say=said.append)
    every = evaluate_run(trained, data, str(tmp_path / "b"), say=said.append, map_classes="all")
    classes = usual["num_classes_with_positives"]
    assert (usual["map_classes"], every["map_classes"]) == ("positive", "all")
    assert every["map"] == pytest.approx(usual["map"] * classes / 12, abs=1e-6)
    assert every["gap"] == usual["gap"]
    ended = run_command("eval", train_dir, "--map_classes=all", f"--output_dir={tmp_path}/c")
    assert ended.code == 0, ended.err
    assert "and the others count as 0 in MAP" in ended.out
    assert json.loads((tmp_path / "c/metrics.json").read_text())["map"] == every["map"]
    assert "--map_classes" in refused("eval", train_dir, "--map_classes=some")
