"""What the fuzz has found ends well or in one line, and the judge sees what does not."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import strategies as st

from benchmarks.fuzz import __main__ as fuzz
from benchmarks.fuzz import inputs
from benchmarks.fuzz.case import Case, Target
from benchmarks.fuzz.hunt import Hunt
from benchmarks.fuzz.judge import Failure, Judge, verdict
from yt8m.errors import UserError

# Conformance finds other features than the release's, and ratings are not converted.
NOT_TAKEN = ("conformance", "convert, segments")
ROOT = pathlib.Path(__file__).parents[2]
CORPUS = sorted((pathlib.Path(__file__).parent / "corpus").glob("*.json"))


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Give each case any time, unless it hangs.

    The limit counts what all threads of the process compute, and collects as garbage, which in one
    that has run a thousand tests is not the case's own.
    """
    monkeypatch.setattr("benchmarks.fuzz.judge.SECONDS", 0)
    monkeypatch.setattr("benchmarks.fuzz.judge.HUNG", 900)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """Return what runs the cases of every target."""
    place = str(tmp_path_factory.mktemp("fuzz") / "inputs")
    inputs.make(place)
    targets = fuzz.all_targets(place, with_models=True)
    names = [target.name for target in targets]
    assert len(set(names)) == len(names)
    return Judge({target.name: target for target in targets}, place)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """Return the lines of a process that runs every case of the corpus.

    It is a process of its own, because what was once found could end that of the tests. Each case
    may take any time: a busy machine is not the case's fault.
    """
    code = (
        "import sys; from benchmarks.fuzz import __main__ as fuzz, judge; judge.SECONDS = 0;"
        " sys.exit(fuzz.main(sys.argv[1:]))"
    )
    out = f"--out={tmp_path_factory.mktemp('out')}"
    done = subprocess.run(
        [sys.executable, "-c", code, out, "--repeat", *map(str, CORPUS)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_found_once_is_right_now(repeated, path):
    _, lines, err = repeated
    assert f"{path}: passes" in lines, "\n".join([*lines, err])


def test_the_process_of_the_corpus_ends_well(repeated):
    code, lines, err = repeated
    assert (code, len(lines)) == (0, len(CORPUS)), err


def test_valid_inputs_are_taken(judge, monkeypatch):
    monkeypatch.setattr(
        "benchmarks.fuzz.judge.verdict",
        lambda target, code, err: Failure(f"exit code {code}", err),
    )
    refused = {}
    for name, target in judge.targets.items():
        line = getattr(target.arguments, "wrapped_strategy", target.arguments)
        if target.kind != "flags" and not name.startswith(NOT_TAKEN):
            arguments = () if line is None else line.value
            failure = judge.failure(Case(name, {}, arguments))
            if failure is None or failure.signature != "exit code 0":
                refused[name] = failure
    assert not refused


def test_the_readme_of_the_corpus_has_a_line_for_each_case():
    listed = (CORPUS[0].parent / "README.md").read_text(encoding="utf-8")
    assert all(f"`{path.name}`" in listed for path in CORPUS)
    assert listed.count("| `") == len(CORPUS)


def judged(tmp_path, function, **more):
    target = Target("it", "texts", (), st.just({}), None, function, **more)
    return Judge({"it": target}, str(tmp_path)).failure(Case("it", {}))


def refuses(folder):
    raise UserError("so it is")


def fails(folder):
    raise ValueError("a bug")


def takes_memory(folder):
    assert np.ones(100_000_000).any()


def takes_time(folder):
    end = time.process_time() + 3
    while time.process_time() < end:
        pass


def test_a_refusal_is_right_and_an_exception_a_failure(tmp_path, monkeypatch):
    assert judged(tmp_path, refuses) is None
    assert judged(tmp_path, fails).signature.startswith("ValueError at ")
    assert judged(tmp_path, takes_memory).signature == "memory"
    monkeypatch.setattr("benchmarks.fuzz.judge.SECONDS", 0.2)
    assert judged(tmp_path, takes_time).signature.startswith("TooLong at ")


def test_signals_of_profilers_end_no_case(tmp_path):
    # JAX's runtime has timers that send SIGPROF for as long as the process computes. The signal
    # stays ignored afterwards, or such a timer would end the tests.
    def is_profiled(folder):
        os.kill(os.getpid(), signal.SIGPROF)

    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    assert judged(tmp_path, is_profiled) is None
    assert signal.getsignal(signal.SIGPROF) == signal.SIG_IGN


def test_exit_codes_and_messages():
    target = Target("it", "texts", (), st.just({}), codes=(1,))
    assert verdict(target, 0, "") is None
    assert verdict(target, 1, "") is None
    assert verdict(target, 2, "error: it is empty.\n") is None
    assert verdict(target, 2, "").signature == "no message"
    assert verdict(target, 3, "").signature == "exit code 3"
    assert verdict(target, 0, "Traceback (most recent call last):\n").signature.startswith("traceb")
    assert verdict(target, 2, "error: not enough memory.").signature == "claimed memory"


def test_a_failure_is_made_small_and_written(tmp_path):
    def longer_than_three(folder):
        if len((pathlib.Path(folder) / "a").read_bytes()) > 3:
            raise ValueError

    changes = st.binary(max_size=99).map(lambda content: {"a": content})
    target = Target("it", "texts", (), changes, None, longer_than_three)
    known = set()
    hunt = Hunt(target, Judge({"it": target}, str(tmp_path)), known)
    hunt.run(seed=0, cases=500)
    assert hunt.found.case.files == {"a": bytes(4)}
    assert Case.from_json(hunt.found.case.to_json(seed=0)) == hunt.found.case
    known.add(("it", hunt.found.failure.signature))
    again = Hunt(target, Judge({"it": target}, str(tmp_path)), known)
    again.run(seed=0, cases=50)
    assert again.found is None
    assert again.again
