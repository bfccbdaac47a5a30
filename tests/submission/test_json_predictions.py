"""The CSV from the JSON of TensorFlow Serving and of batch predictions."""

import json

import numpy as np
import pytest

from tests.support.commands import refused, run_command
from yt8m.submission.kaggle_videos import read_csv

A = {"video_id": "aa", "class_indexes": [3, 1, 2], "predictions": [0.9, 0.5, 0.25]}
B = {"video_id": "bb", "class_indexes": [0, 4, 1], "predictions": [0.75, 0.5, 1e-07]}
NESTED = {key: [value] for key, value in A.items()}  # the starter code's frame-level export


def converted(tmp_path, *texts, flags=()):
    for number, text in enumerate(texts):
        (tmp_path / f"prediction.results-{number:05d}").write_text(text)
    csv = tmp_path / "s.csv"
    pattern = f"--input_json_pattern={tmp_path}/prediction.results*"
    ended = run_command("predict", pattern, f"--output_file={csv}", *flags)
    assert ended.code == 0, ended.err
    return csv.read_text().splitlines(), ended


@pytest.mark.parametrize(
    "text",
    [
        f"{json.dumps(A)}\n{json.dumps(B)}\n",
        json.dumps({"predictions": [A, B]}),
        json.dumps({"predictions": [A, B]}, indent=4) + "\n",
        f"{json.dumps({'predictions': [A]}, indent=4)}\n\n{json.dumps({'predictions': [B]})}\n",
        "".join(json.dumps({"instance": {"b64": "eA=="}, "prediction": p}) + "\n" for p in (A, B)),
        f"{json.dumps(NESTED)}\n{json.dumps(B)}",
        f"{json.dumps({**A, 'class_indexes': [[3, 1, 2]], 'predictions': [[0.9, 0.5, 0.25]]})}\n"
        f"{json.dumps({**B, 'class_names': ['x', 'y', 'z']})}",
    ],
    ids=["lines", "serving", "serving-indented", "responses", "vertex", "starter", "extra-axis"],
)
def test_each_form_becomes_the_same_csv(text, tmp_path):
    lines, _ = converted(tmp_path, text)
    assert lines == [
        "VideoId,LabelConfidencePairs",
        "aa,3 0.9 1 0.5 2 0.25",
        "bb,0 0.75 4 0.5 1 1e-07",
    ]


def test_several_files_are_one_submission(tmp_path):
    unsorted = {**B, "class_indexes": [1, 0, 4], "predictions": [1e-07, 0.75, 0.5]}
    texts = (json.dumps(A), json.dumps(unsorted), json.dumps(A))
    lines, ended = converted(tmp_path, *texts, flags=["--top_k=2"])
    assert lines[1:] == ["aa,3 0.9 1 0.5", "bb,0 0.75 4 0.5", "aa,3 0.9 1 0.5"]
    assert "1 of 3 ids repeat an earlier one, first 'aa'" in ended.out
    rows = list(read_csv(str(tmp_path / "s.csv"), num_classes=5))
    np.testing.assert_array_equal(rows[1].classes, [0, 4])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"video_id": "cc", "class_ind', "is not, and does not begin, a JSON value"),
        (json.dumps({"video_id": "cc", "predictions": [1]}), "no class_indexes in"),
        (json.dumps([1, 2]), "no video_id, class_indexes, predictions"),
        (json.dumps({**A, "predictions": [1.0]}), "3 class_indexes and 1 predictions"),
        (json.dumps({**A, "predictions": 1.0}), "not a list"),
        (json.dumps({**A, "class_indexes": [3, 3, -1]}), "different whole numbers"),
        (json.dumps({**A, "predictions": [0.5, float("nan"), 1]}), "finite numbers"),
        (json.dumps({**A, "video_id": 7}), "not a text"),
        (json.dumps({"predictions": [A, {}]}), "no video_id, class_indexes, predictions"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_written(line, message, tmp_path):
    path, csv = tmp_path / "p.json", tmp_path / "s.csv"
    path.write_text(f"{json.dumps(A)}\n{line}\n{json.dumps(B)}\n")
    csv.write_text(before := "VideoId,LabelConfidencePairs\n")
    said = refused("predict", f"--input_json_pattern={path}", f"--output_file={csv}")
    assert f"{path}, line 2: " in said
    assert message in said
    assert csv.read_text() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.json", "s.csv"]


def test_what_needs_a_model_or_has_no_prediction_is_refused(tmp_path):
    path = tmp_path / "p.json"
    path.write_text("\n")
    given = (f"--input_json_pattern={path}", f"--output_file={tmp_path / 's.csv'}")
    assert "contain no prediction" in refused("predict", *given)
    said = refused("predict", *given, "--train_dir=runs/x", "--output_scores=y", "--batch_size=3")
    assert "--batch_size, --output_scores, --train_dir: not used" in said
    assert "matches no file" in refused("predict", f"--input_json_pattern={tmp_path}/*.x", given[1])
    assert "--output_file" in refused("predict", given[0])
    path.write_text(json.dumps({**A, "video_id": "a,b"}))
    assert "a comma" in refused("predict", *given)
