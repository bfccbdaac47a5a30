"""The soak: what counts as a difference, and how kills and the end of a cycle are noted."""

import signal

import numpy as np
import pytest

from benchmarks.soak import __main__ as soak
from benchmarks.soak.fingerprint import differences, fingerprint
from benchmarks.soak.forks import Ended
from benchmarks.soak.jobs import JOBS, Job, Place
from benchmarks.soak.ledger import Ledger
from yt8m import cli, flags


def write_run(folder, seconds=1.0, weights=(1.0, 2.0)):
    folder.mkdir(exist_ok=True)
    (folder / "metrics.json").write_text(f'{{"gap": 0.5, "seconds": {seconds}}}')
    np.savez(folder / "state.npz", weights=weights, about=f'{{"elapsed": {seconds}}}')
    (folder / "fused.csv").write_text("a,1\n")


def test_two_outputs_are_equal_whatever_time_they_took(tmp_path):
    write_run(tmp_path / "one", seconds=1.0)
    write_run(tmp_path / "two", seconds=2.0)
    assert not differences(fingerprint(tmp_path / "one"), fingerprint(tmp_path / "two"))


def test_another_bit_and_what_is_missing_or_left_behind_are_named(tmp_path):
    write_run(tmp_path / "one")
    write_run(tmp_path / "two", weights=(1.0, 2.0000001))
    (tmp_path / "two" / "fused.csv").unlink()
    (tmp_path / "two" / "metrics.json.tmp").touch()
    (tmp_path / "two" / "ckpt-3_temp").mkdir()
    assert differences(fingerprint(tmp_path / "one"), fingerprint(tmp_path / "two")) == [
        "ckpt-3_temp was left behind",
        "fused.csv is missing",
        "metrics.json.tmp was left behind",
        "state.npz differs",
    ]


class Played(Job):
    """A job that writes a file, and of which each kill does more damage."""

    def run(self, place, log, kill=soak.forks.NO_KILL):
        kills = getattr(self, "kills", 0)
        killed = kill != soak.forks.NO_KILL and kills < 2
        object.__setattr__(self, "kills", kills + killed)
        with open(f"{place.out}/out.csv", "a") as out:
            out.write("a,1\n" if self.name == "bad" else "")
        return Ended(-signal.SIGKILL if killed else 0, 0.5, 7, killed)


@pytest.mark.parametrize("name", ["good", "bad"])
def test_a_cycle_kills_repeats_and_compares(name, tmp_path):
    place = Place("", "", str(tmp_path / "work"), "")
    path = str(tmp_path / "results.jsonl")
    soak._cycle(Ledger(path), Played(name, lambda _: []), place, seed=3)
    again = Ledger(path)
    assert again.kills() == 2
    assert bool(again.failures()) == (name == "bad")
    assert ("out.csv differs" in again.table([name])) == (name == "bad")
    assert (tmp_path / f"work.{name}-3" / "out.csv").exists() == (name == "bad")


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_the_flags_of_a_job_are_those_of_its_command(job):
    import importlib

    name, *arguments = job.arguments(Place("data", "data", "out", "http://127.0.0.1"))
    command = importlib.import_module(cli.COMMANDS[name][0]).COMMAND
    if name != "convert":  # which takes its input without a flag's name
        flags.parse(flags.define(command.sections), arguments)
