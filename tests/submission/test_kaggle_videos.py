"""The Kaggle CSV: its bytes, and a reader of all its dialects."""

import os

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.submission.kaggle_videos import CsvWriter, read_csv

GOLDEN = np.array([[0.1, 0.123456789, 1e-7, 0.5]])


@pytest.mark.parametrize("ids", [["ab12"], [b"ab12"], np.array([b"ab12"], object)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_golden_line(tmp_path, ids, dtype):
    path = tmp_path / "new" / "s.csv"
    with CsvWriter(str(path), top_k=3) as writer:
        writer.write(ids, GOLDEN.astype(dtype))
    assert path.read_bytes() == b"VideoId,LabelConfidencePairs\nab12,3 0.5 1 0.123457 0 0.1\n"


def test_top_k_above_the_classes_is_clamped(tmp_path):
    with CsvWriter(str(tmp_path / "s.csv"), top_k=20) as writer:
        writer.write(["a", "b"], np.repeat(GOLDEN, 2, axis=0))
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert lines[2] == "b,3 0.5 1 0.123457 0 0.1 2 1e-07"


def test_an_error_leaves_the_older_file(tmp_path):
    older = "VideoId,LabelConfidencePairs\nolder,1 0.5\n"
    path = tmp_path / "s.csv"
    path.write_text(older)
    refused = pytest.raises(ValueError, match="2 ids with 1 rows")
    with refused, CsvWriter(str(path)) as writer:
        writer.write(["a"], GOLDEN)
        writer.write(["a", "b"], GOLDEN)
    assert path.read_text() == older
    assert os.listdir(tmp_path) == ["s.csv"]
    with CsvWriter(str(path)) as writer:
        writer.write(["a"], GOLDEN)
        assert path.read_text() == older  # until the new file is complete
    assert path.read_text().startswith("VideoId")


@pytest.mark.parametrize("path", [".", "file/s.csv", ""])
def test_a_path_that_cannot_be_written_is_refused(tmp_path, path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--output_file"):
        CsvWriter(str(tmp_path / path) if path else "")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("a,b", "a comma, a line break or white space"),
        (" a", "white space at an end"),
        ("a\n", "a comma, a line break or white space"),
        ("", "1 of 2 videos have an empty id.*--output_scores"),
    ],
)
def test_an_id_that_no_line_can_contain_is_refused(tmp_path, bad, message):
    refused = pytest.raises(UserError, match=message)
    with refused, CsvWriter(str(tmp_path / "s.csv")) as writer:
        writer.write(["x", bad], np.repeat(GOLDEN, 2, axis=0))
    assert os.listdir(tmp_path) == []


def test_a_line_needs_a_pair(tmp_path):
    with pytest.raises(UserError, match="top_k"):
        CsvWriter(str(tmp_path / "s.csv"), 0)


def test_an_id_that_is_not_utf8_keeps_its_bytes(tmp_path):
    with CsvWriter(str(tmp_path / "s.csv"), 1) as writer:
        writer.write([b"a\xff", b"a\xfe"], np.repeat(GOLDEN, 2, axis=0))
    assert [row.id for row in read_csv(str(tmp_path / "s.csv"))] == ["a\\xff", "a\\xfe"]


def test_write_and_read_back(tmp_path):
    scores = np.random.default_rng(0).random((50, 300), dtype=np.float32)
    ids = [f"v{i}" for i in range(50)]
    with CsvWriter(str(tmp_path / "s.csv"), 7) as writer:
        writer.write(ids[:30], scores[:30])
        writer.write(ids[30:], scores[30:])
    rows = list(read_csv(str(tmp_path / "s.csv"), 300))
    assert [r.id for r in rows] == ids
    for row, expected in zip(rows, scores):
        np.testing.assert_array_equal(row.classes, np.argsort(-expected)[:7])
        np.testing.assert_allclose(row.scores, np.sort(expected)[::-1][:7], rtol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "VideoId,LabelConfidencePairs\na,3 0.5 1 1e-07\nb,\n",
        "VideoId,LabelConfidencePairs\r\na,3 0.5 1 1e-07\r\n\r\nb,\r\n",
        "VideoId,LabelScorePairs\na,3:0.5 1:1e-07\nb,",
        "a,3 0.5  1 0.0000001\nb,\n",
    ],
)
def test_reader_takes_all_dialects(tmp_path, text):
    (tmp_path / "s.csv").write_bytes(text.encode())
    first, second = read_csv(str(tmp_path / "s.csv"))
    assert first.id == "a"
    assert first.classes.tolist() == [3, 1]
    np.testing.assert_allclose(first.scores, [0.5, 1e-7], rtol=1e-6)
    assert second.id == "b"
    assert second.classes.size == 0


@pytest.mark.parametrize(
    "line",
    [
        ",3 0.5",
        "b",
        "b,3",
        "b,x 0.5",
        "b,3 y",
        "b,-1 0.5",
        "b,9 0.5",
        "b,3 nan",
        "b,3 0.5 3 0.4",
        "b,3 0.5 4",
    ],
)
def test_a_bad_line_is_named(tmp_path, line):
    (tmp_path / "s.csv").write_text(f"VideoId,LabelConfidencePairs\na,3 0.5\n{line}\n")
    with pytest.raises(UserError, match="line 3"):
        list(read_csv(str(tmp_path / "s.csv"), num_classes=9))


def test_no_such_file(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        list(read_csv(str(tmp_path / "none.csv")))
