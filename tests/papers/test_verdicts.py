"""The noise of a run, and the marks of the papers' claims, from invented results."""

from typing import get_args

import pytest

from tests.papers.helpers import invented_result
from yt8m.papers.claims import CLAIMS, Claim, Kind
from yt8m.papers.row_files import load_all
from yt8m.papers.verdicts import (
    ASSUMED_SD,
    NOT_RUN,
    NOT_SEEN,
    SEEN,
    UNTESTABLE,
    holds,
    judge,
    noise_of,
    verdicts,
)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("more", (0.50, 0.48), True),
        ("more", (0.50, 0.495), False),  # within the margin of 0.01
        ("more", (0.50, 0.48, 0.52), False),
        ("no more", (0.50, 0.495), True),
        ("no more", (0.50, 0.40), False),
        ("no more", (0.40, 0.50), True),
        ("equal", (0.50, 0.509), True),
        ("equal", (0.50, 0.52), False),
        ("rises", (0.50, 0.495, 0.52), True),  # a fall within the margin
        ("rises", (0.50, 0.52, 0.505, 0.53), False),  # a fall beyond it
        ("rises", (0.50, 0.502, 0.504), False),  # no more than noise
        ("ordered", (0.5, 0.5, 0.500001), True),
        ("ordered", (0.5, 0.499999), False),
        ("below twice", (199.0, 100.0), True),
        ("below twice", (200.0, 100.0), False),
    ],
)
def test_what_bears_a_claim_out(kind, values, expected):
    assert holds(kind, values, 0.01) is expected


def test_claims_name_rows_and_kinds_that_exist():
    rows = load_all()
    for claim in CLAIMS:
        assert claim.kind in get_args(Kind)
        for name in claim.names:
            for one in name.split("|"):
                assert one.partition(":")[0] in rows, f"{claim.text}: {one}"


def test_noise_is_pooled_over_repeated_rows():
    runs = [
        invented_result("a", 0.50),
        invented_result("a", 0.52, seed=1),
        invented_result("b", 0.30),
        invented_result("b", 0.30, seed=1),
        invented_result("c", 0.9),
    ]
    noise = noise_of(runs, "sample-video-all", "gap")
    assert noise.runs == 4
    assert noise.sd == pytest.approx(0.01)
    assert noise.margin == pytest.approx(0.02828, abs=1e-5)
    assert noise_of(runs[-1:], "sample-video-all", "gap") == noise_of([], "x", "gap")
    assert noise_of([], "x", "gap").sd == ASSUMED_SD


def test_a_claim_is_judged_on_each_data_set_alone():
    not_on = {"frozen": "nothing moves"}
    claim = Claim("GRU is better than LSTM", "more", ("gru", "lstm"), not_on=not_on)
    runs = [
        invented_result("gru", 0.5, "a"),
        invented_result("lstm", 0.4, "a"),
        invented_result("gru", 0.4, "b"),
        invented_result("lstm", 0.4, "b"),
        invented_result("gru", 0.5, "frozen"),
        invented_result("lstm", 0.4, "frozen"),
        invented_result("gru", 0.5, "c"),
    ]
    marks = {v.data: v.mark for v in verdicts(runs, [claim])}
    assert marks == {"a": SEEN, "b": NOT_SEEN, "frozen": UNTESTABLE, "c": NOT_RUN}
    assert judge(claim, runs, "c").numbers == "no result for lstm"
    assert judge(claim, runs, "a").numbers == "GAP gru 0.5000, lstm 0.4000"
    assert [v.mark for v in verdicts([], [claim])] == [NOT_RUN]


def test_seeds_are_averaged_and_the_better_of_two_counts():
    runs = [invented_result("h", 0.40), invented_result("h", 0.44, seed=1)]
    runs += [invented_result("i", 0.3), invented_result("g", 0.3)]
    verdict = judge(Claim("", "more", ("h|i", "g")), runs, "sample-video-all")
    assert verdict.numbers == "GAP h or i 0.4200, g 0.3000"
    assert verdict.mark == SEEN


def test_fusions_are_judged_by_their_parts():
    parts = {
        "best_single": {"gap": 0.5, "input": "gru"},
        "fit_on_half": {"metrics": {"gap": 0.55}, "best_single": {"gap": 0.5}},
    }
    gaps = {"average": 0.6, "l1": 0.6, "l2": 0.60001, "l3": 0.60002}
    runs = [invented_result(f"fusion-{method}", gap, **parts) for method, gap in gaps.items()]
    marks = {v.claim.text: v.mark for v in verdicts(runs) if v.data}
    assert marks["The fusion is better than its best model"] == SEEN
    ordered = {m for t, m in marks.items() if "l3 is at least" in t or "one half" in t}
    assert ordered == {SEEN}


def test_costs_are_compared_without_a_margin():
    claim = Claim("50 experts cost little", "below twice", ("a", "b"), "cpu_seconds")
    runs = [invented_result("a", 0.5), invented_result("b", 0.5)]
    for run, seconds in zip(runs, (150.0, 80.0)):
        run["cpu_seconds"] = seconds
    verdict = judge(claim, runs, "sample-video-all")
    assert (verdict.mark, verdict.margin) == (SEEN, 0.0)
    assert verdict.numbers == "processor seconds a 150, b 80"


def test_the_first_screen_has_ten_lines():
    assert sum(claim.main for claim in CLAIMS) == 10
