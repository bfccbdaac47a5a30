"""Statistics of labels, compared with NumPy over the same records, and the files about them."""

import json
import sys
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.support.commands import refused, run_command
from yt8m.analysis.analyse import _titles, analyse
from yt8m.analysis.label_lists import LabelLists, read_label_lists
from yt8m.analysis.settings import AnalysisSettings
from yt8m.analysis.statistics import (
    by_frequency,
    conditional,
    cooccurrences,
    correlation,
    describe,
    label_ranges,
    rank_correlation,
)
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.ragged import Ragged
from yt8m.data.records.writers import video_record, write_shard
from yt8m.errors import UserError


def multi_hot(pattern):
    files = find_shards(pattern)
    schema, _ = find_schema(files)
    batches = build_dataset(files, schema, batch_size=64)
    return np.concatenate([b["labels"].numpy() for b in batches])


def lists_of(y):
    return LabelLists(Ragged.of_lengths(np.nonzero(y)[1].astype(np.int32), y.sum(1)), y.shape[1])


@pytest.fixture(scope="module")
def random_labels():
    rng = np.random.default_rng(0)
    y = (rng.random((500, 20)) < rng.random(20) * 0.4).astype(np.int64)
    y[3] = 0
    y[:, 7] = 0
    return y


@pytest.mark.parametrize("level", ["video", "frame"])
def test_reads_the_labels_that_the_pipeline_reads(small_data, level):
    pattern = small_data.pattern("train", level)
    lists = read_label_lists(find_shards(pattern), level, 12)
    y = multi_hot(pattern)
    assert lists.num_videos == 600
    np.testing.assert_array_equal(lists.positives(), y.sum(0))
    np.testing.assert_array_equal(np.sort(lists.labels.lengths()), np.sort(y.sum(1)))
    np.testing.assert_array_equal(lists.cooccurrence(range(12)), y.T.astype(int) @ y)


def test_a_label_given_twice_counts_once_and_one_beyond_the_classes_is_refused(tmp_path):
    path = str(tmp_path / "x.tfrecord")
    labels = {b"a": [5, 2, 5], b"b": [], b"c": [9]}
    write_shard(path, [video_record(v, {"f": [0.0]}, listed) for v, listed in labels.items()])
    lists = read_label_lists([path], "video", 10)
    np.testing.assert_array_equal(lists.labels.values, [2, 5, 9])
    np.testing.assert_array_equal(lists.labels.starts, [0, 2, 2, 3])
    with pytest.raises(UserError, match=r"label 9.*--num_classes"):
        read_label_lists([path], "video", 9)


def test_counts_against_numpy(random_labels):
    y, lists = random_labels, lists_of(random_labels)
    for a, b in ((0, 5), (5, 6), (7, 8), (0, 20)):
        assert lists.videos_within(a, b) == np.count_nonzero(y[:, a:b].any(1))
    chosen = [4, 0, 11]
    np.testing.assert_array_equal(lists.cooccurrence(chosen), y[:, chosen].T @ y[:, chosen])
    p = conditional(lists.cooccurrence(range(20)))
    np.testing.assert_allclose(p[2, 5], y[:, 2] @ y[:, 5] / y[:, 2].sum())
    np.testing.assert_array_equal(p[7], 0)  # a class that no video has


def test_both_readings_of_a_share():
    y = np.zeros((4, 20), int)
    y[0, 0] = y[0, 1] = y[1, 0] = y[2, 19] = 1
    found = describe(lists_of(y))
    first, head, tail = found["label_ranges"]
    ends = (first["first"], first["end"], head["end"], tail["first"], tail["end"])
    assert ends == (0, 1, 4, 13, 20)
    assert (first["instances"], first["videos"]) == (2, 2)
    assert first["instance_share"] == 0.5
    assert (head["instances"], head["videos"]) == (3, 2)
    assert head["instance_share"] == 0.75
    assert head["video_share"] == 0.5
    assert (tail["instances"], tail["videos"]) == (1, 1)
    assert found["videos_without_labels"] == 1
    assert found["classes_with_positives"] == 3
    assert found["labels_a_video"] == {"mean": 1.0, "max": 2, "histogram": [1, 2, 1]}
    assert label_ranges(4716) == [(0, 50), (0, 1000), (3000, 4716)]
    assert label_ranges(3862)[2] == (3000, 3862)


def test_correlations_against_numpy():
    a, b = np.random.default_rng(1).random((2, 6, 6))
    off = ~np.eye(6, dtype=bool)
    assert correlation(a, b) == pytest.approx(np.corrcoef(a[off], b[off])[0, 1])
    assert rank_correlation([1, 2, 2, 4], [10, 20, 20, 90]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3], [3, 3, 1]) == pytest.approx(-np.sqrt(3) / 2)
    assert by_frequency(np.array([3, 0, 7, 3])) == [2, 0, 3]


def test_one_set_cut_in_two_correlates_with_itself(random_labels):
    found = cooccurrences([lists_of(random_labels)] * 2, most=6)
    assert len(found["classes"]) == 6
    assert found["correlation_of_log_counts"] == pytest.approx(1.0)
    assert found["correlation_of_conditional"] == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_writes_figures_numbers_and_a_report(small_data, tmp_path, kind):
    settings = AnalysisSettings(
        small_data.pattern("train", "video"),
        str(tmp_path),
        compare_pattern=small_data.pattern("validate", "frame"),
        format=kind,
    )
    found = analyse(settings, say=lambda _: None)
    y = multi_hot(settings.data_pattern)
    numbers = json.loads((tmp_path / "analysis.json").read_text())
    assert numbers["sets"][0]["positives"] == y.sum(0).tolist()
    assert [s["title"] for s in numbers["sets"]] == ["train", "validate"]
    classes = numbers["cooccurrence"]["classes"]
    together = y[:, classes].T.astype(int) @ y[:, classes]
    assert numbers["cooccurrence"]["counts"][0] == together.tolist()
    name = numbers["names"][str(classes[0])]
    report = (tmp_path / "report.md").read_text()
    assert f"1. {name} ({classes[0]}), {y.sum(0).max():,} videos" in report
    assert f"{found['cooccurrence']['correlation_of_log_counts']:.4f} of log(1 + counts)" in report
    for figure in (f"fig1_positives.{kind}", f"fig2_cooccurrence.{kind}"):
        content = (tmp_path / figure).read_bytes()
        assert figure in report
        if kind == "png":
            assert content[:8] == b"\x89PNG\r\n\x1a\n"
            assert len(content) > 20_000
        else:
            ElementTree.fromstring(content)
            assert name.encode() in content  # matplotlib writes each text beside its outlines
    assert len(list(tmp_path.iterdir())) == 4


def test_only_figures_need_matplotlib(small_data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"yt8m\[figures\].*--nofigures"):
        analyse(AnalysisSettings("no/such/file*", str(tmp_path / "a")))
    assert not (tmp_path / "a").exists()
    train = small_data.pattern("train", "video")
    analyse(AnalysisSettings(train, str(tmp_path / "b"), figures=False), say=lambda _: None)
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["analysis.json", "report.md"]


def test_the_numbers_are_strict_json(tmp_path):
    """If no two classes occur together, the correlations are NaN, which JSON lacks."""
    for split in ("train", "validate"):
        records = [video_record(b"a", {"mean_rgb": [0.0] * 4}, [c % 3]) for c in range(6)]
        write_shard(str(tmp_path / f"{split}0.tfrecord"), records)
    settings = AnalysisSettings(
        str(tmp_path / "train*"),
        str(tmp_path / "out"),
        compare_pattern=str(tmp_path / "validate*"),
        num_classes=3,
        figures=False,
    )
    analyse(settings, say=lambda _: None)
    text = (tmp_path / "out" / "analysis.json").read_text()
    numbers = json.loads(text, parse_constant=pytest.fail)
    assert numbers["cooccurrence"]["correlation_of_log_counts"] is None
    assert numbers["sets"][0]["rank_correlation_of_index_and_positives"] is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(correlation(np.ones([1, 1]), np.ones([1, 1])))  # one class has no others


def test_a_title_is_the_split_but_no_part_of_a_word():
    assert _titles(["/data/latest/*.tfrecord"]) == ["the data set"]
    assert _titles(["/data/train/*.tfrecord", "/data/validate00*.tfrecord"]) == [
        "train",
        "validate",
    ]


def test_mistakes_are_explained(small_data, tmp_path):
    with pytest.raises(UserError, match="matches no file"):
        analyse(AnalysisSettings(str(tmp_path / "none*"), str(tmp_path / "new"), figures=False))
    assert not (tmp_path / "new").exists()
    train, test = small_data.pattern("train", "video"), small_data.pattern("test", "video")
    (tmp_path / "file").write_text("")
    for pattern, folder, message in (
        (train, "", "--out_dir is missing"),
        (test, str(tmp_path / "x"), "none of the 40 records examined has one"),
        (train, str(tmp_path / "file" / "x"), "cannot write .*--out_dir"),
    ):
        with pytest.raises(UserError, match=message):
            analyse(AnalysisSettings(pattern, folder, figures=False), say=lambda _: None)
    assert not (tmp_path / "x").exists()


def test_the_command(small_data, tmp_path):
    pattern = f"--data_pattern={small_data.pattern('train', 'video')}"
    done = run_command("analyse", pattern, f"--out_dir={tmp_path}", "--nofigures")
    assert done.code == 0, done.err
    assert "600 videos" in done.out
    assert "--out_dir" in refused("analyse", pattern, "--nofigures")
