"""The 2019 submission: per class the best segments, ranked at full precision."""

import io
import urllib.error

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.metrics import segment_ranking
from yt8m.submission.kaggle_segments import SegmentCsvWriter, read_segment_csv, read_whitelist


def slow(ids, scores, classes, top_k, limit):
    lines = {}
    for segment, row in zip(ids, scores):
        for c in sorted(classes, key=lambda c: (-row[c], c))[:top_k]:
            lines.setdefault(c, []).append((-row[c], ids.index(segment), segment))
    return [(c, [s for _, _, s in sorted(lines[c])[:limit]]) for c in sorted(lines)]


@pytest.mark.parametrize("whitelist", [None, [9, 2, 4, 11]])
@pytest.mark.parametrize(
    ("top_k", "limit", "pending"), [(20, 1000, 10**6), (3, 7, 10**6), (3, 7, 50), (1, 1, 1)]
)
def test_equals_the_slow_reference(tmp_path, monkeypatch, whitelist, top_k, limit, pending):
    monkeypatch.setattr(
        segment_ranking, "_PENDING", pending
    )  # cutting early must not change the answer
    scores = np.random.default_rng(0).random((60, 12)).round(2)  # with ties
    ids = [f"v{i // 4}:{5 * (i % 4)}" for i in range(60)]
    with SegmentCsvWriter(str(tmp_path / "s.csv"), whitelist, top_k, limit) as writer:
        for start in range(0, 60, 13):
            writer.write(ids[start : start + 13], scores[start : start + 13])
    expected = slow(ids, scores, whitelist or range(12), top_k, limit)
    assert list(read_segment_csv(str(tmp_path / "s.csv"))) == expected
    assert (tmp_path / "s.csv").read_bytes().startswith(b"Class,Segments\n")


def test_near_ties_keep_their_order(tmp_path):
    scores = np.array([[0.50000001], [0.50000002], [0.5]])  # one value in six digits
    with SegmentCsvWriter(str(tmp_path / "s.csv")) as writer:
        writer.write(["a:0", "b:0", "c:0"], scores)
    assert (tmp_path / "s.csv").read_text() == "Class,Segments\n0,b:0 a:0 c:0\n"


def test_whitelist(tmp_path):
    (tmp_path / "w.csv").write_text("Index\n3\n7\n\n1801\n1788\n")
    assert read_whitelist(str(tmp_path / "w.csv")) == [3, 7, 1801, 1788]
    assert read_whitelist("") is None
    (tmp_path / "w.csv").write_text("Index\n")
    with pytest.raises(UserError, match="no class index"):
        read_whitelist(str(tmp_path / "w.csv"))
    with pytest.raises(UserError, match="cannot read"):
        read_whitelist(str(tmp_path / "none.csv"))


def test_whitelist_of_an_address_is_downloaded(monkeypatch):
    monkeypatch.setattr(
        "urllib.request.urlopen", lambda address, timeout: io.BytesIO(b"Index\n3\n")
    )
    assert read_whitelist("https://example.com/segment_label_ids.csv") == [3]

    def unreachable(address, timeout):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(
        UserError, match=r"cannot read --segment_label_ids_file='http://x': .*no route"
    ):
        read_whitelist("http://x")


def test_refusals(tmp_path):
    out = str(tmp_path / "s.csv")
    refused = pytest.raises(UserError, match="class 12")
    with refused, SegmentCsvWriter(out, [12]) as writer:
        writer.write(["a:0"], np.zeros((1, 12)))
    refused = pytest.raises(UserError, match="1 of 2 videos have an empty id")
    with refused, SegmentCsvWriter(out) as writer:
        writer.write(["a:0", ":5"], np.full((2, 3), 0.5))
    (tmp_path / "s.csv").write_text("Class,Segments\n3,a:0\nx,a:0\n")
    with pytest.raises(UserError, match="line 3"):
        list(read_segment_csv(str(tmp_path / "s.csv")))
