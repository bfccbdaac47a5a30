"""Fusions from files to files, compared with the arithmetic in NumPy."""

import json
import os

import numpy as np
import pytest

from yt8m.data.records.writers import video_record, write_shard
from yt8m.errors import UserError
from yt8m.evaluation.per_class_ap import write_per_class_ap
from yt8m.fusion.run import run_fusion
from yt8m.fusion.settings import FusionSettings
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.submission.kaggle_segments import SegmentCsvWriter, read_segment_csv
from yt8m.submission.kaggle_videos import CsvWriter, read_csv
from yt8m.submission.score_files import ScoreFile, ScoreWriter
from yt8m.submission.score_formats import open_scores, scores_writer
from yt8m.submission.scores.settings import ScoresSettings

N, K = 300, 40
IDS = [f"v{i:03d}" for i in range(N)]


def write_scores(folder, ids, scores, **meta):
    with ScoreWriter(str(folder), K, meta=meta) as w:
        w.write(ids, scores)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three noisy models of one truth: score folders a and b (in another order), and c as a CSV."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    labels = rng.random((N, K)) < 0.08
    parts = []
    for noise in (1.2, 1.0, 1.4):
        logits = 3.0 * labels - 3 + noise * rng.normal(size=(N, K))
        parts.append((1 / (1 + np.exp(-logits))).astype(np.float32))
    order = rng.permutation(N)
    write_scores(folder / "a", IDS, parts[0])
    write_scores(folder / "b", [IDS[i] for i in order], parts[1][order])
    with CsvWriter(str(folder / "c.csv"), 10) as w:
        w.write(IDS[::-1], parts[2][::-1])
    rows = zip(IDS[::-1], map(np.flatnonzero, labels[::-1]))
    lines = [f"{video},{' '.join(map(str, row))}\n" for video, row in rows]
    (folder / "labels.csv").write_text("".join(lines))
    for name, ap in zip("ab", (np.full(K, 0.5), np.linspace(0.1, 0.9, K))):
        write_per_class_ap(str(folder / f"{name}.json"), ap, [1] * K)
    kept = np.sort(parts[2], axis=1)[:, [-10]]
    sparse = np.where(parts[2] >= kept, parts[2], 0)
    return folder, labels, [parts[0], parts[1], sparse]


def fuse(made, names="a,b", **settings):
    """Fuse files of `made[0]`, or of any folder; return the metrics and the printed text."""
    said = []
    inputs = [os.path.join(made[0], name) for name in names.split(",")]
    results = run_fusion(FusionSettings(inputs=inputs, **settings), said.append)
    return results, "\n".join(said)


def metrics_of(scores, labels):
    metrics = EvaluationMetrics(K)
    metrics.update(scores, labels)
    return metrics


@pytest.mark.parametrize("chunk", [7, 1000])
def test_average_of_folders_and_a_csv(made, tmp_path, chunk):
    fuse(
        made,
        "a,b,c.csv",
        output_scores=str(tmp_path / "s"),
        output_file=str(tmp_path / "s.csv"),
        top_k=5,
        chunk_size=chunk,
    )
    expected = sum(made[2]) / 3
    out = ScoreFile(str(tmp_path / "s"))
    assert out.ids == IDS
    np.testing.assert_allclose(out.scores, expected, atol=2e-6)
    rows = list(read_csv(str(tmp_path / "s.csv")))
    assert [r.id for r in rows] == IDS
    assert {len(r.classes) for r in rows} == {5}
    np.testing.assert_allclose(rows[3].scores, np.sort(expected[3])[::-1][:5], atol=1e-5)


def test_inputs_of_every_format(made, tmp_path):
    formats = (dict(scores_dtype="float16"), dict(scores_top_k=10), dict(scores_format="parquet"))
    for number, settings in enumerate(formats):
        with scores_writer(str(tmp_path / str(number)), K, ScoresSettings(**settings)) as w:
            w.write(IDS[::-1], made[2][0][::-1])
    names = f"a,c.csv,{tmp_path}/0,{tmp_path}/1,{tmp_path}/2"
    fuse(made, names, output_scores=str(tmp_path / "s"), scores_top_k=8, scores_format="parquet")
    out = open_scores(str(tmp_path / "s"))
    assert (out.ids, out.width, out.meta["method"]) == (IDS, 8, "average")
    few = open_scores(str(tmp_path / "1")).dense(np.arange(N))[::-1]
    expected = (3 * made[2][0] + few + made[2][2]) / 5
    best = np.argsort(-expected, axis=1)[:, :3]
    classes, scores = out.best(np.arange(N), 3)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, best, 1), atol=1e-3)
    assert (classes == best).mean() > 0.99  # float16 may swap classes whose scores are close


def test_csv_first_sets_the_order(made, tmp_path):
    fuse(made, "c.csv,b", output_scores=str(tmp_path / "s"), method="weighted", weights=[3, 1])
    out = ScoreFile(str(tmp_path / "s"))
    assert out.ids == IDS[::-1]
    np.testing.assert_allclose(out.scores, (0.75 * made[2][2] + 0.25 * made[2][1])[::-1], atol=2e-6)


def test_l2_with_ap_files(made, tmp_path):
    aps = [str(made[0] / "a.json"), str(made[0] / "b.json")]
    fuse(made, method="l2", ap_files=aps, output_scores=str(tmp_path / "s"))
    ap = np.stack([np.full(K, 0.5), np.linspace(0.1, 0.9, K)])
    weights = ap / np.sqrt((ap**2).sum(axis=0))
    expected = weights[0] * made[2][0] + weights[1] * made[2][1]
    scores = ScoreFile(str(tmp_path / "s")).scores
    ratio = scores / expected  # one constant for all classes, so that no score is above 1
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
    assert scores.max() <= 1


def test_metrics_before_and_after(made, tmp_path):
    path = str(tmp_path / "m.json")
    results, said = fuse(made, labels=str(made[0] / "labels.csv"), output_metrics=path)
    for result, scores in zip(results, [made[2][0], made[2][1], (made[2][0] + made[2][1]) / 2]):
        assert result["gap"] == pytest.approx(metrics_of(scores, made[1]).result()["gap"], abs=1e-6)
    assert results[2]["gap"] > max(results[0]["gap"], results[1]["gap"]) + 0.01
    assert f"{results[2]['gap']:.5f}" in said
    assert "mean weight" in said
    with open(path) as source:
        assert json.load(source)["fused"] == results[2]


def test_aps_from_labels_warn_or_come_from_the_other_half(made):
    labels = str(made[0] / "labels.csv")
    results, said = fuse(made, method="l1", labels=labels)
    assert "same videos" in said
    assert results[0]["num_examples"] == N
    results, said = fuse(made, method="l1", labels=labels, fit_on_half=True, seed=3)
    assert "same videos" not in said
    assert results[0]["num_examples"] == N // 2
    held_out = np.random.default_rng(3).permutation(N)[: N // 2]
    fit = np.setdiff1d(np.arange(N), held_out)
    aps = [metrics_of(x[fit], made[1][fit]).per_class_ap()[0] for x in made[2][:2]]
    ap = np.where(np.sum(aps, axis=0) > 0, aps, 1.0)
    weights = ap / ap.sum(axis=0)
    fused = weights[0] * made[2][0] + weights[1] * made[2][1]
    expected = metrics_of(fused[held_out], made[1][held_out]).result()["gap"]
    assert results[2]["gap"] == pytest.approx(expected, abs=1e-6)


def test_a_model_of_some_classes_takes_part_only_there(made, tmp_path):
    write_scores(tmp_path / "half", IDS, np.ones((N, K)), covered_classes=list(range(10)))
    fuse(made, f"a,{tmp_path}/half", output_scores=str(tmp_path / "s"))
    scores = ScoreFile(str(tmp_path / "s")).scores
    np.testing.assert_allclose(scores[:, 10:], made[2][0][:, 10:], atol=1e-6)
    np.testing.assert_allclose(scores[:, :10], (made[2][0][:, :10] + 1) / 2, atol=1e-6)


def test_a_score_that_is_not_a_number_is_refused(made, tmp_path):
    write_scores(tmp_path / "nan", IDS, np.full((N, K), np.nan))
    with pytest.raises(UserError, match="not finite"):
        fuse(made, f"a,{tmp_path}/nan", output_scores=str(tmp_path / "s"))
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(names="a"), "at least 2"),
        (dict(names="a,a"), "twice"),
        (dict(names="a,nothing"), "does not exist"),
        (dict(output_file=""), "nothing to do"),
        (
            dict(segment_max_pred=3, output_file="", labels="x.csv"),
            "applies only to the submission",
        ),
        (dict(method="weighted", weights=[1.0]), "1 numbers for 2 inputs"),
        (dict(method="weighted", weights=[1.0, float("nan")]), "--weights=1,nan: expected numbers"),
        (dict(method="weighted", weights=[1e308, 1e308]), "numbers from 0 to 1e"),
        (dict(weights=[1.0, 2.0]), "--method=weighted"),
        (dict(method="l2"), "--ap_files"),
        (dict(method="l2", ap_files=["x"]), "1 files for 2"),
        (dict(method="l2", ap_files=["x", "y"]), "cannot read"),
        (dict(fit_on_half=True), "fits nothing"),
        (dict(num_classes=41), "numbers of classes"),
        (dict(names="c.csv,a", num_classes=7), "numbers of classes"),
        (dict(scores_top_k=5), "--scores_top_k: applies only to stored scores"),
        (dict(output_scores="{0}/s", scores_top_k=41), "--scores_top_k=41: the scores have 40"),
        (dict(output_file="/proc/none/s.csv"), "cannot write"),
    ],
)
def test_refusals(made, tmp_path, settings, message):
    settings = {"output_file": str(tmp_path / "s.csv"), **settings}
    if "output_scores" in settings:
        settings["output_scores"] = settings["output_scores"].format(tmp_path)
    with pytest.raises(UserError, match=message):
        fuse(made, **settings)
    assert not list(tmp_path.iterdir())


def test_other_videos_and_missing_labels(made, tmp_path):
    write_scores(tmp_path / "d", IDS[:-1], made[2][0][:-1])
    with pytest.raises(UserError, match=r"1 in .* but not in .*, first v299"):
        fuse(made, f"a,{tmp_path}/d", output_file=str(tmp_path / "s.csv"))
    (tmp_path / "labels.csv").write_text("v000,1\n")
    with pytest.raises(UserError, match="is missing 299"):
        fuse(made, labels=str(tmp_path / "labels.csv"))


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    """Two models' scores of one list of segments, and the whole videos' scores beside them."""
    folder = tmp_path_factory.mktemp("segments")
    ids = [f"v{i // 4}:{5 * (i % 4)}" for i in range(20)]
    parts = [np.random.default_rng(s).random((20, K)).astype(np.float32) for s in (1, 2)]
    for name, part in (("a", 0), ("b", 1), ("whole", 1)):
        write_scores(folder / name, ids, parts[part], segments=name != "whole")
    with SegmentCsvWriter(str(folder / "s.csv")) as w:
        w.write(ids, parts[0])
    return folder, ids, sum(parts) / 2


def test_segments_are_ranked_by_class(segments, tmp_path):
    (tmp_path / "ids.csv").write_text("Index\n7\n2\n")
    out = dict(output_file=str(tmp_path / "s.csv"), output_scores=str(tmp_path / "s"))
    _, said = fuse(
        segments, segment_label_ids_file=str(tmp_path / "ids.csv"), segment_max_pred=6, **out
    )
    assert "20 segments" in said
    ranked = {c: [segments[1][i] for i in np.argsort(-segments[2][:, c])[:6]] for c in (2, 7)}
    assert dict(read_segment_csv(out["output_file"])) == ranked
    assert ScoreFile(out["output_scores"]).meta["segments"] is True


def test_segments_and_whole_videos_are_not_mixed(segments, made, tmp_path):
    out = dict(output_file=str(tmp_path / "s.csv"))
    message = r"/a contain scores of five-second segments, but .*/whole those of whole videos"
    with pytest.raises(UserError, match=message):
        fuse(segments, "a,whole", **out)
    with pytest.raises(
        UserError, match="is a submission of five-second segments, which contains no scores"
    ):
        fuse(segments, "a,s.csv", **out)
    with pytest.raises(UserError, match=r"--labels=.* applies to whole videos"):
        fuse(segments, labels=str(made[0] / "labels.csv"), **out)
    with pytest.raises(UserError, match="--segment_max_pred: applies only to five-second segments"):
        fuse(made, segment_max_pred=3, **out)
    with pytest.raises(
        UserError,
        match="--segment_max_pred: applies only to the submission, and there is no --output_file",
    ):
        fuse(segments, segment_max_pred=3, output_scores=str(tmp_path / "s"))


def test_ids_that_repeat_or_are_empty_cause_warnings(tmp_path):
    for name in "ab":
        write_scores(tmp_path / name, ["x", "same", "same", "", ""], np.full((5, K), 0.5))
    _, said = fuse([tmp_path], output_scores=str(tmp_path / "fused"))
    assert "warning: 2 of 5 ids are empty" in said
    assert "warning: 1 of 5 ids repeat an earlier one, first 'same'" in said
    with pytest.raises(UserError, match="2 of 5 videos have an empty id"):
        fuse([tmp_path], output_file=str(tmp_path / "s.csv"))


@pytest.mark.parametrize("labels", ["labels.csv", "x.tfrecord"])
def test_labels_of_a_class_that_no_csv_lists(tmp_path, labels):
    for name, scores in (("a.csv", [[0.9, 0.1, 0.0, 0.0]]), ("b.csv", [[0.4, 0.6, 0.0, 0.0]])):
        with CsvWriter(str(tmp_path / name), 2) as w:
            w.write(["v"], np.array(scores))
    record = video_record(b"v", {"mean_rgb": np.ones(3, np.float32)}, [1, 3])
    write_shard(str(tmp_path / "x.tfrecord"), [record])
    (tmp_path / "labels.csv").write_text("v,1 3\n")
    results, said = fuse([tmp_path], "a.csv,b.csv", labels=str(tmp_path / labels))
    assert "4 classes" in said
    assert results[-1]["num_classes_with_positives"] == 2
    with pytest.raises(UserError, match="label 3, but there are 2 classes"):
        fuse([tmp_path], "a.csv,b.csv", labels=str(tmp_path / labels), num_classes=2)


def test_details_hold_weights_likeness_and_gain(made, tmp_path):
    path = tmp_path / "d.json"
    labels = str(made[0] / "labels.csv")
    results, _ = fuse(
        made, method="l3", labels=labels, fit_on_half=True, output_details=str(path), chunk_size=64
    )
    found = json.loads(path.read_text())
    assert found["metrics"] == results
    assert found["on_half"]
    assert not found["fitted_on_the_same"]
    a, b = made[2][:2]
    expected = np.corrcoef(a.ravel(), b.ravel())
    np.testing.assert_allclose(found["correlation"], expected, atol=1e-5)
    same = (a.argmax(axis=1) == b.argmax(axis=1)).mean()
    np.testing.assert_allclose(found["same_best_class"], [[1, same], [same, 1]], atol=1e-6)
    assert sum(found["weights"]["largest"]) == pytest.approx(1)
    fuse(made, method="average", output_details=str(path))
    assert "metrics" not in json.loads(path.read_text())
    assert json.loads(path.read_text())["weights"]["mean"] == [0.5, 0.5]
    fuse(made, method="l1", labels=labels, output_details=str(path))
    assert json.loads(path.read_text())["fitted_on_the_same"]
