"""The search: hypothesis makes cases of a target, and makes one that fails as small as it can."""

from __future__ import annotations

import time
from typing import NamedTuple

import hypothesis
from hypothesis import strategies as st

from benchmarks.fuzz.case import Case, Target
from benchmarks.fuzz.judge import Failure, Judge

_SECONDS_TO_SHRINK = 20.0


class Found(NamedTuple):
    """A failure, and the smallest case that was found to have it."""

    case: Case
    failure: Failure


class _Fails(Exception):
    """A case has failed."""


class Hunt:
    """Cases of one target with one seed.

    Attributes:
      cases: number of cases that were judged, those of making a failure smaller left out.
      again: number of cases that failed for a cause that was known before.
      found: the new failure that ended the search, or None.

    Args:
      target: what is called.
      judge: runs the cases.
      known: signatures of the failures found before, with the target's name.
    """

    def __init__(self, target: Target, judge: Judge, known: set[tuple[str, str]]):
        self._target, self._judge, self._known = target, judge, known
        self.cases = self.again = 0
        self.found: Found | None = None
        self._until = 0.0

    def run(self, seed: int, cases: int) -> None:
        """Judge up to `cases` cases; stop at the first failure of an unknown cause."""
        arguments = st.just(()) if self._target.arguments is None else self._target.arguments

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=cases,
            database=None,
            deadline=None,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
            print_blob=False,
            report_multiple_bugs=False,
        )
        @hypothesis.given(self._target.changes, arguments)
        def one(files: dict, line: tuple) -> None:
            self._one(Case(self._target.name, files, tuple(line)))

        try:
            one()
        except Exception:
            # Once its time is over, nothing is said to fail, which hypothesis objects to.
            if self.found is None:
                raise

    def _one(self, case: Case) -> None:
        if self.found is None:
            self.cases += 1
        elif time.monotonic() > self._until:
            return
        failure = self._judge.failure(case)
        if failure is None:
            return
        if self.found is None:
            if (self._target.name, failure.signature) in self._known:
                self.again += 1
                return
            self._until = time.monotonic() + _SECONDS_TO_SHRINK
        elif failure.signature != self.found.failure.signature:
            return
        self.found = Found(case, failure)
        raise _Fails
