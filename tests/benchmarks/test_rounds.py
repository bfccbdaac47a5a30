"""Contenders are measured in turn, and a run of the benchmarks can be interrupted and resumed."""

import dataclasses

import pytest

from benchmarks.harness.rounds import measure, missing, order
from benchmarks.harness.settings import Settings
from benchmarks.harness.store import Store
from benchmarks.harness.work import Work
from tests.benchmarks.contenders import benchmark, contender

CONTEXT = {"machine": "here", "commit": "abc"}


@pytest.fixture(name="work")
def make_work(tmp_path):
    return Work(Settings(work_dir=str(tmp_path / "work"), rounds=2))


@pytest.fixture(name="store")
def make_store(tmp_path):
    return Store(tmp_path / "results.json")


def measured(store):
    entries = store.content["toy"]["measurements"]
    return [(entry["round"], entry["contender"]) for entry in entries]


def test_every_other_round_is_reversed():
    contenders = [contender(name) for name in "abc"]
    names = [[c.name for c in order(contenders, number)] for number in range(3)]
    assert names == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]


def test_contenders_take_turns(work, store, capsys):
    assert measure(benchmark(), work, store, CONTEXT)
    assert measured(store) == [(0, "ours"), (0, "slow"), (1, "slow"), (1, "ours")]
    values = store.rounds("toy")[1]["ours"]
    assert values["videos_per_second"] == 30.0
    assert 0 < values["processor_seconds"] < 60
    assert values["peak_gb"] > 0.001  # at least that of this process, from which it was forked
    assert "videos_per_second, ours / slow: 3.00 (3.00 to 3.00)" in capsys.readouterr().out


def test_only_what_is_missing_is_measured(work, store):
    toy = benchmark()
    store.open("toy", CONTEXT)
    store.add("toy", "slow", 0, {"videos_per_second": 7.0})
    again = Store(store.path)
    assert [(n, c.name) for n, c in missing(toy, 2, again)] == [
        (0, "ours"),
        (1, "slow"),
        (1, "ours"),
    ]
    assert measure(toy, work, again, CONTEXT)
    assert again.rounds("toy")[0]["slow"]["videos_per_second"] == 7.0
    assert not list(missing(toy, 2, Store(store.path)))


def test_results_of_another_commit_are_measured_again(work, store, capsys):
    measure(benchmark(), work, store, CONTEXT)
    again = Store(store.path)
    assert again.open("toy", CONTEXT) is False
    assert again.open("toy", {**CONTEXT, "commit": "def"}) is True
    assert len(list(missing(benchmark(), 2, again))) == 4


def test_a_failed_process_is_reported_and_the_others_go_on(work, store, capsys):
    broken = contender("broken", code="import sys; sys.exit('no such thing')")
    assert not measure(benchmark(broken), work, store, CONTEXT)
    assert "no such thing" in capsys.readouterr().out
    assert set(measured(store)) == {(n, name) for n in (0, 1) for name in ("ours", "slow")}


def test_output_without_its_result_is_a_failure(work, store):
    assert not measure(benchmark(contender("mute", code="print('hello')")), work, store, CONTEXT)
    assert "mute" not in store.rounds("toy")[0]


def test_a_rival_without_its_flags_is_skipped(work, store, capsys):
    toy = benchmark(contender("google", rival="starter"))
    assert measure(toy, work, store, CONTEXT)
    assert "the google one: skipped, --starter_python is not given" in capsys.readouterr().out
    given = dataclasses.replace(work.settings, starter_python="python", starter_code="code")
    assert measure(toy, Work(given), store, CONTEXT)
    assert (0, "google") in measured(store)
