"""Tables, the page of results and the committed results."""

import copy
import os

import pytest

from tests.papers.helpers import invented_result
from yt8m.errors import UserError
from yt8m.papers import paper_tables, results, tables
from yt8m.papers.is_current import sort_out
from yt8m.papers.results_page import PATH, report
from yt8m.papers.row_files import load_all

ROWS = load_all()
REPEATED = [
    invented_result("video-moe-2", 0.61234),
    invented_result("video-moe-2", 0.613, seed=1),
]


def test_a_table_shows_the_papers_column_and_ours():
    text = tables.as_text("1", paper_tables.rows_of("1", ROWS), REPEATED)
    lines = text.splitlines()
    assert lines[0] == paper_tables.TABLES["1"]
    first = next(line for line in lines if line.startswith("2 "))
    expected = "2 0.7820 0.4150 sample-video-all 0.6123 0.3062 0.6000 0.7000 0.9000"
    assert first.split() == [*expected.split(), "1.5", "2.5", "2.0", "1,700"]
    assert "seed 1   0.6130" in text
    assert "seed 2  not run" in text
    assert any(line.startswith("4 ") and "not run" in line for line in lines)


def test_markdown_escapes_what_would_be_a_column():
    text = tables.as_markdown([["a|b", "c"], ["1", "2"]])
    assert text.splitlines() == ["| a\\|b | c |", "| --- | --- |", "| 1 | 2 |"]


def test_the_page_contains_tables_claims_and_commands():
    text = report(ROWS, REPEATED)
    assert "| 2 | 0.7820 | 0.4150 | sample-video-all | 0.6123 |" in text
    assert "2 runs of 1 repeated rows" in text
    assert "**not run yet**" in text
    assert "python train.py --model=X" in text
    assert report(ROWS, []), "there is a page before anything was run"


def test_record_keeps_the_small_results_of_rows(tmp_path):
    folder = str(tmp_path)
    found = [
        invented_result("video-moe-2", 0.61),
        invented_result("video-moe-2", 0.63, seed=1),
        invented_result("no-row", 0.5),
        invented_result("video-moe-2", 0.7, data="my-records"),
        invented_result("video-moe-4", 0.5, variant="paper"),
    ]
    assert len(results.record(found, ROWS, folder)) == 2
    kept = results.committed(folder)
    assert [r["metrics"]["gap"] for r in kept] == [0.61, 0.63]
    assert results.small_results(kept, ROWS["video-moe-2"]) == found[:2]


def test_results_are_checked_before_anything_is_written(tmp_path):
    broken = copy.deepcopy(invented_result("video-moe-4", 0.5))
    del broken["metrics"]["perr"]
    with pytest.raises(UserError, match=r"video-moe-4, has no metrics\.perr"):
        results.record([invented_result("video-moe-2", 0.61), broken], ROWS, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_results_on_other_records_are_not_recorded_beside_those_that_stay(tmp_path):
    """A data set is known by its name, whatever sample it was made from."""
    folder = str(tmp_path)
    results.record([invented_result("video-moe-2", 0.61)], ROWS, folder)
    other = invented_result("video-moe-4", 0.62)
    other["data"]["train"] = {**other["data"]["train"], "sha1": "another"}
    expected = r"video-moe-4--.* on train records of .* that differ from those of video-moe-2"
    with pytest.raises(UserError, match=expected):
        results.record([other], ROWS, folder)
    assert [r["recipe"] for r in results.committed(folder)] == ["video-moe-2"]
    again = invented_result("video-moe-2", 0.6, data="sample-video-all")
    again["data"] = other["data"]
    assert len(results.record([other, again], ROWS, folder)) == 2, "all of them are replaced"


def test_committed_results_have_the_settings_of_their_rows():
    found = results.committed()
    for r in found:
        results.check(r)
        assert r["recipe"] in ROWS
        assert r["data"]["name"] in ROWS[r["recipe"]].small.data
    assert found
    assert sort_out(found, ROWS) == (found, [])


def test_the_page_and_the_documents_agree_with_the_results():
    found = results.committed()
    with open(PATH, encoding="utf-8") as file:
        assert file.read() == report(ROWS, found), "`python -m yt8m.papers report` writes it"

    def metrics(row, data="sample-video-all"):
        return results.small_result(found, f"kdd-{row}", data, 0)["metrics"]

    basic, few, many = (metrics(f"basic-{x}") for x in ("baseline", "retrained", "large-moe"))
    early, rprop, adam = (metrics(f"early-{x}")["gap"] for x in ("baseline", "rprop", "adam"))
    slow = ("slow-baseline", "slow-rprop", "slow-adam", "annealed-baseline", "annealed-rprop")
    rate, rprop_18, adam_4, annealed, both = (metrics(x, "sample-common")["gap"] for x in slow)
    modes = ("baseline", "retrained", "large-moe", "retrained-longer")
    joint, five, fifty, longer = (metrics(f"modes-{x}", "synthetic-modes") for x in modes)
    with open(os.path.join(results.ROOT, "docs", "papers.md"), encoding="utf-8") as file:
        document = " ".join(file.read().split())
    for sentence in (
        f"Joint training reaches GAP {basic['gap']:.3f} and MAP {basic['map']:.3f}.",
        f"reaches {few['gap']:.3f} and {few['map']:.3f} with at most 5 experts for each class, and"
        f" {many['gap']:.3f} and {many['map']:.3f} with 50.",
        f"iRProp+ gains {rprop - early:.3f} GAP in eight iterations, and eight passes of Adam gain"
        f" {adam - early:.3f}.",
        f"without an average of the weights, reaches GAP {rate:.3f}.",
        f"(first step sizes 1e-4, no stopping rule) reach {rprop_18:.3f}, rising",
        f"four passes of Adam at a rate of 2e-4 reach {adam_4:.3f} in",
        f"average of the weights reaches {annealed:.3f}, and RProp after it stays at {both:.3f}.",
        f"with 5 experts reaches GAP {joint['gap']:.3f} and MAP {joint['map']:.3f}.",
        f"reach {five['gap']:.3f} and {five['map']:.3f} with 5 experts for each class, and"
        f" {fifty['gap']:.3f} and {fifty['map']:.3f} with 50;",
        f"processor time, reach {longer['gap']:.3f} and {longer['map']:.3f}.",
    ):
        assert sentence in document
