"""Ground truth files, and what a CSV alone scores against them."""

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.submission.ground_truth import (
    GroundTruth,
    GroundTruthWriter,
    read_ground_truth,
    score_submission,
)
from yt8m.submission.kaggle_videos import CsvWriter


def test_read(tmp_path):
    (tmp_path / "l.csv").write_text("a,3 1 3\nb,\nc,0\n")
    truth = read_ground_truth(str(tmp_path / "l.csv"))
    assert truth.ids == ["a", "b", "c"]
    assert [truth[i].tolist() for i in "abc"] == [[1, 3], [], [0]]
    np.testing.assert_array_equal(truth.class_positives(5), [1, 1, 0, 1, 0])
    np.testing.assert_array_equal(truth.multi_hot(["c", "a"], 4), [[1, 0, 0, 0], [0, 1, 0, 1]])
    with pytest.raises(UserError, match="label 3, but there are 3"):
        truth.multi_hot(["a"], 3)
    with pytest.raises(UserError, match="'z' has no line"):
        truth.multi_hot(["z"], 4)


@pytest.mark.parametrize("line", ["c", "c,x", "c,-1"])
def test_a_bad_line_is_named(tmp_path, line):
    (tmp_path / "l.csv").write_text(f"VideoId,Labels\na,3\n{line}\n")
    with pytest.raises(UserError, match="line 3"):
        read_ground_truth(str(tmp_path / "l.csv"))


def test_an_id_that_comes_twice_is_refused():
    with pytest.raises(UserError, match="'a' more than once"):
        GroundTruth(["a", "b", "a"], [[0], [1], [2]])


def test_a_csv_scores_what_the_evaluation_said(tmp_path):
    rng = np.random.default_rng(0)
    scores = rng.random((400, 90), dtype=np.float32) ** 4
    labels = rng.random((400, 90)) < 0.2 * scores + 0.01
    ids = [f"v{i}" for i in range(400)]
    metrics = EvaluationMetrics(90)
    metrics.update(scores, labels)
    with GroundTruthWriter(str(tmp_path / "l.csv")) as out:
        out.write(ids, labels)
    with CsvWriter(str(tmp_path / "s.csv")) as out:
        out.write(ids, scores)
    truth = read_ground_truth(str(tmp_path / "l.csv"))
    found, expected = score_submission(str(tmp_path / "s.csv"), truth, 90), metrics.result()
    for name in ("gap", "map", "perr", "hit_at_1", "hit_at_5"):
        assert found[name] == pytest.approx(expected[name], abs=1e-4), name
    assert found["num_examples"] == 400
    assert found["num_missing"] == 0


def test_videos_left_out_cost_recall(tmp_path):
    (tmp_path / "s.csv").write_text("a,1 0.9\n")
    truth = GroundTruth(["a", "b"], [[1], [1]])
    found = score_submission(str(tmp_path / "s.csv"), truth)
    assert (found["gap"], found["hit_at_1"], found["num_missing"]) == (0.5, 0.5, 1)
    with pytest.raises(UserError, match="'a' has no line"):
        score_submission(str(tmp_path / "s.csv"), GroundTruth(["b"], [[1]]))
