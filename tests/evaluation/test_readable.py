"""What an evaluation tells people: the best and the worst classes by name, and how far it is."""

import json

import numpy as np

from yt8m.evaluation import progress
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.evaluation.extreme_classes import extreme_classes, table
from yt8m.runs.classes.names import ClassNames
from yt8m.runs.trained_model import TrainedModel

NAMES = ClassNames((*"abcdefghijkl", "12"), "vocabulary.csv")


def found(ap, positives):
    said = extreme_classes(np.array(ap), np.array(positives), NAMES)
    return [[row["name"] for row in said[f"{title}_classes"]] for title in ("best", "worst")]


def test_classes_with_few_positives_count_only_where_others_are_too_few():
    ap = np.linspace(1.0, 0.0, 13)
    assert found(ap, [9, 0, *[10] * 11]) == [list("cdefg"), ["12", *"lkji"]]
    assert found(ap, [1, 0, *[10] * 3, *[1] * 8]) == [list("acdef"), ["12", *"lkji"]]
    assert found(ap, [1, 0, 1, 3, *[0] * 9]) == [["a"], ["d"]]
    assert found(ap, [0] * 13) == [[], []]
    assert table(extreme_classes(ap, np.zeros(13, int), NAMES), NAMES) == []


def test_of_equal_aps_that_over_more_positives_comes_first():
    assert found([0.5] * 13, [*range(10, 23)]) == [["12", *"lkji"], list("hgfed")]


def test_the_table_has_the_name_and_the_number_or_the_number_alone():
    ap, positives = np.linspace(0.0, 1.0, 13), np.full(13, 1200)
    lines = table(extreme_classes(ap, positives, NAMES), NAMES)
    assert lines[0].split() == ["best", "class", "12", "AP", "1.000", "1,200", "positives"]
    assert lines[1].split()[:2] == ["l", "(11)"]
    assert [line.split()[0] for line in lines].index("worst") == 5


def test_eval_names_the_classes_in_its_output_and_in_both_files(
    finished_run, small_data, tmp_path, monkeypatch
):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    said = []
    trained = TrainedModel(str(finished_run))
    result = evaluate_run(
        trained, small_data.pattern("validate", "video"), str(tmp_path), 37, say=said.append
    )
    names = list(trained.class_names())
    assert json.loads((tmp_path / "per_class_ap.json").read_text())["names"] == names
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert kept["best_classes"] == result["best_classes"]
    best = result["best_classes"][0]
    assert names[best["class"]] == best["name"]
    text = "\n".join(said)
    assert f"{best['name']} ({best['class']})" in text
    assert "37 of about 160 videos" in text
    assert "148 of about 160 videos" in text


def test_progress_comes_when_it_is_due_and_passes_everything_on(monkeypatch):
    clock = iter([0.0, 6.0, 12.0, 18.0, 24.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    said, pairs = [], [({}, np.zeros(50)) for _ in range(4)]
    passed = list(progress.with_progress(iter(pairs), 300, "videos", said.append))
    assert [a[1] is b[1] for a, b in zip(passed, pairs)] == [True] * 4
    assert said == [
        "100 of about 300 videos, 8 per second, 24s left",
        "200 of about 300 videos, 8 per second, 12s left",
    ]
