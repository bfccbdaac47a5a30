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
    WITHIN,
    Noise,
    judge,
    mark_of,
    noise_of,
    student,
    verdicts,
)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("more", (0.50, 0.48), SEEN),
        ("more", (0.50, 0.495), WITHIN),  # the margin is 0.01
        ("more", (0.50, 0.505), WITHIN),
        ("more", (0.50, 0.52), NOT_SEEN),
        ("more", (0.50, 0.48, 0.52), NOT_SEEN),
        ("no more", (0.50, 0.495), SEEN),
        ("no more", (0.50, 0.40), NOT_SEEN),
        ("no more", (0.40, 0.50), SEEN),
        ("equal", (0.50, 0.509), SEEN),
        ("equal", (0.50, 0.52), NOT_SEEN),
        ("rises", (0.50, 0.495, 0.52), SEEN),  # a fall within the margin
        ("rises", (0.50, 0.52, 0.505, 0.53), NOT_SEEN),  # a fall beyond it
        ("rises", (0.50, 0.502, 0.504), WITHIN),  # no more than noise
        ("rises", (0.50, 0.502, 0.493), WITHIN),
        ("rises", (0.50, 0.495, 0.489), NOT_SEEN),
        ("ordered", (0.5, 0.5, 0.500001), SEEN),
        ("ordered", (0.5, 0.499999), NOT_SEEN),
        ("below twice", (199.0, 100.0), SEEN),
        ("below twice", (200.0, 100.0), NOT_SEEN),
    ],
)
def test_what_numbers_say_of_a_claim(kind, values, expected):
    margin = 0.0 if kind in ("ordered", "below twice") else 0.01
    assert mark_of(kind, values, margin) == expected


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.706), (4, 2.776), (10, 2.228), (11, 2.201), (60, 2.0)]
)
def test_few_runs_make_the_margin_wide(freedom, expected):
    assert student(freedom) == pytest.approx(expected, abs=3e-3)
    margin = Noise(0.01, 9, freedom).margin
    assert margin() == pytest.approx(0.01 * 2**0.5 * student(freedom))
    assert margin(4) == pytest.approx(margin() / 2), "of means of four runs"


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
    assert noise.freedom == 2
    assert noise.margin() == pytest.approx(4.303 * 0.01 * 2**0.5)
    assert noise_of(runs[-1:], "sample-video-all", "gap") == noise_of([], "x", "gap")
    assert noise_of([], "x", "gap").sd == ASSUMED_SD


def test_a_claim_is_judged_on_each_data_set_alone():
    not_on = {"frozen": "nothing moves"}
    claim = Claim("GRU is better than LSTM", "more", ("gru", "lstm"), not_on=not_on)
    runs = [
        invented_result("gru", 0.5, "a"),
        invented_result("lstm", 0.4, "a"),
        invented_result("gru", 0.3, "b"),
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
    runs = [invented_result("h", 0.4199), invented_result("h", 0.4201, seed=1)]
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


def test_means_of_more_seeds_have_a_smaller_margin():
    gaps = {"a": (0.50, 0.52, 0.51), "b": (0.48, 0.50, 0.49), "c": (0.49,)}
    runs = [invented_result(n, g, seed=i) for n, v in gaps.items() for i, g in enumerate(v)]
    margin = student(4) * 0.01 * 2**0.5
    for other, runs_each, mark in (("b", 3, WITHIN), ("c", 1, WITHIN)):
        verdict = judge(Claim("", "more", ("a", other)), runs, "sample-video-all")
        assert verdict.margin == pytest.approx(margin / runs_each**0.5)
        assert verdict.mark == mark


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
