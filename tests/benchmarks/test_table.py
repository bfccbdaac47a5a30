"""Ratios with their lowest and highest, goals, and the table's text between its markers."""

import pytest

from benchmarks.harness.benchmark import Comparison
from benchmarks.harness.ratios import ratios
from benchmarks.harness.store import Store
from benchmarks.harness.table import BEGIN, END, number, page, spread, table
from tests.benchmarks.contenders import benchmark

MACHINE = {
    "processor": "Some CPU",
    "family": "1/2",
    "cores": 2,
    "avx512_bf16": True,
    "amx": False,
    "memory_gb": 24,
}
CONTEXT = {
    "machine": MACHINE,
    "versions": {"ours": "Python 3.11, tensorflow 2.15", "starter": "Python 3.7"},
    "commit": "abc1234",
    "environment": {},
    "quick": False,
}
ROUNDS = {
    0: {"ours": {"videos_per_second": 30, "wall_seconds": 2}, "slow": {"videos_per_second": 10}},
    1: {"ours": {"videos_per_second": 40, "wall_seconds": 3}},
    2: {
        "ours": {"videos_per_second": 50, "wall_seconds": 4},
        "slow": {"videos_per_second": 25, "wall_seconds": 2},
    },
}


@pytest.fixture(name="store")
def make_store(tmp_path):
    store = Store(tmp_path / "results.json")
    store.open("toy", CONTEXT)
    for round_number, contenders in ROUNDS.items():
        for name, values in contenders.items():
            store.add("toy", name, round_number, values)
    return store


def test_ratios_are_taken_within_a_round_and_above_1_is_better():
    assert ratios(ROUNDS, Comparison("ours", "slow", "videos_per_second")) == [3.0, 2.0]
    assert ratios(ROUNDS, Comparison("ours", "slow", "wall_seconds")) == [0.5]
    assert ratios(ROUNDS, Comparison("ours", "absent", "wall_seconds")) == []


def test_two_metrics_can_be_compared():
    rounds = {0: {"ours": {"wall_seconds": 8.0}, "product": {"product_seconds": 6.0}}}
    comparison = Comparison(
        "ours", "product", "wall_seconds", beside_metric="product_seconds", goal=0.87
    )
    assert ratios(rounds, comparison) == [0.75]


def test_the_spread_of_ratios():
    assert spread([2.0, 3.0, 2.5]) == "2.50 (2.00 to 3.00)"
    assert spread([]) == "not measured"


def test_numbers_are_short():
    assert [number(x) for x in (0.123, 1.2345, 12.345, 1234.5)] == ["0.12", "1.23", "12.3", "1,234"]


def test_the_table(store):
    lines = table([benchmark()], store).splitlines()[2:]
    assert lines == [
        "| do nothing | the ours one: videos/s | 40.0 | the slow one | 17.5 |"
        " 2.50 (2.00 to 3.00) | ≥ 2: met |",
        "|  | the ours one: seconds, whole process | 3.00 | the slow one | 2.00 |"
        " 0.50 (0.50 to 0.50) |  |",
        "|  | the ours one: seconds, whole process | 3.00 |  |  |  | ≤ 1e-09: missed |",
    ]


def test_what_is_missing_is_marked(tmp_path):
    lines = table([benchmark()], Store(tmp_path / "none.json")).splitlines()[2:]
    assert lines[0] == (
        "| do nothing | the ours one: videos/s | not measured | the slow one | not measured |"
        " not measured | ≥ 2 |"
    )


def test_a_page_keeps_what_is_outside_of_its_markers(store):
    first = page(f"# Title\n\n{BEGIN}\nold\n{END}\n\nOther sections.\n", [benchmark()], store)
    assert first.startswith(f"# Title\n\n{BEGIN}\n\n2 cores of Some CPU (family 1/2) with")
    assert "old" not in first
    assert first.endswith(f"{END}\n\nOther sections.\n")
    assert page(first, [benchmark()], store) == first
    for expected in ("with avx512_bf16 and without AMX", "commit abc1234", "in 3 rounds", "24 GB"):
        assert expected in first


def test_a_page_shows_profiles(store):
    store.set_profile("toy", "bfloat16", [["MatMul", 149.2], ["Mul", 3.0]])
    assert "| toy | bfloat16 | MatMul 149, Mul 3 |" in page("", [benchmark()], store)
