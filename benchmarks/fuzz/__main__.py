"""Give damaged and made-up inputs to every reader and command, and look for bugs.

    python -m benchmarks.fuzz --cases=20000 --commands=200 --minutes=60

A case fails by any exception but a refusal, by a traceback, by another exit code than 0 and 2 (or
1 where a command says so), by more than 10 seconds of computing, or by growing by more than 600 MB.
Failures are made small and written to `OUT/*.json`; `--repeat FILES` runs them again.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import argparse
import faulthandler
import gc
import os
import re
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import tensorflow as tf

from benchmarks.fuzz import archives, documents, flags, inputs, records, scores, texts, weights
from benchmarks.fuzz.case import Case, Target
from benchmarks.fuzz.hunt import Found, Hunt
from benchmarks.fuzz.judge import Judge, limit_addresses
from yt8m.process import guard

MODULES = (records, texts, scores, documents, weights, archives, flags)
_TURN = 50  # cases of a target with share 1 before the next target has its turn
_CLEAR = 10  # turns after which Keras forgets the models of earlier cases


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if any case failed."""
    a = _parsed(argv)
    guard.start()
    tf.get_logger().setLevel("ERROR")  # Many models in one process make it warn of retracing.
    faulthandler.enable()
    os.environ.setdefault("YT8M_DTYPE", "float32")
    os.makedirs(a.out, exist_ok=True)
    place = os.path.join(a.out, f"inputs-{os.getpid()}")
    # Before this process computes: what is forked from it may then compute too.
    _in_child(lambda: inputs.make(place))
    if a.repeat:
        return _repeat(a.repeat, place, not a.commands)
    print(f"seed {a.seed}; failures are written to {a.out}", flush=True)
    table = Table()
    if a.commands:
        with_commands = [t for t in all_targets(place) if t.arguments is not None]
        session = Session(a, table, Judge(_by_name(with_commands), place, in_process=False))
        session.run(with_commands, a.commands, evenly=True)
        if not a.cases:
            print(table, flush=True)
    if a.cases:
        limit_addresses()
        targets = [t for t in all_targets(place, with_models=True) if a.only in t.name]
        session = Session(
            a, table, Judge(_by_name(targets), place, note=os.path.join(a.out, "last.json"))
        )
        try:
            session.run(targets, a.cases)
        finally:
            print(table, flush=True)
    print(f"highest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
    return int(bool(table.failures))


def all_targets(place: str, with_models: bool = False) -> list[Target]:
    """Return the targets of every kind.

    Args:
      place: folder of the valid inputs.
      with_models: include those whose making computes in this process.
    """
    return [
        target
        for module in MODULES
        if with_models or module is not weights
        for target in module.targets(place)
    ]


def _by_name(targets: Sequence[Target]) -> dict[str, Target]:
    return {target.name: target for target in targets}


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--cases", type=int, default=20_000, help="cases in this process")
    add("--commands", type=int, default=0, help="further cases, each in a process of its own")
    add("--minutes", type=float, default=60, help="no turn begins after them")
    add("--seed", type=int, default=0)
    add("--only", default="", help="targets whose name contains this")
    add("--out", default="runs/fuzz", help="folder for the failures")
    add("--repeat", nargs="+", help="run the cases in these files again, and show how they fail")
    a = parser.parse_args(argv)
    a.out = os.path.abspath(a.out)
    a.end = time.monotonic() + 60 * a.minutes
    return a


class Table:
    """Cases and failures by target."""

    def __init__(self) -> None:
        self.cases: Counter[tuple[str, str]] = Counter()
        self.failing: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.failures: list[tuple[Found, str]] = []

    def __str__(self) -> str:
        width = max((len(name) for _, name in self.cases), default=6)
        lines = [f"{'kind':10}{'target':{width}}  cases  failing  seconds"]
        for (kind, name), count in self.cases.items():
            failing, seconds = self.failing[kind, name], self.seconds[kind, name]
            lines.append(f"{kind:10}{name:{width}}{count:7}{failing:9}{seconds:9.1f}")
        total = sum(self.cases.values()), sum(self.failing.values())
        lines.append(
            f"{'all':10}{'':{width}}{total[0]:7}{total[1]:9}{sum(self.seconds.values()):9.1f}"
        )
        lines += [f"{f.case.target}: {f.failure.signature}" for f, _ in self.failures]
        return "\n".join(lines)


class Session:
    """Turns of the targets, one after the other, until the cases or the minutes are used up."""

    def __init__(self, a: argparse.Namespace, table: Table, judge: Judge):
        self._a, self._table, self._judge = a, table, judge
        self._known: set[tuple[str, str]] = set()

    def run(self, targets: Sequence[Target], cases: int, evenly: bool = False) -> None:
        """Judge cases of the targets in turn.

        Args:
          targets: what is called.
          cases: how many.
          evenly: give each target as many as any other.
        """
        judged = turn = 0
        while judged < cases and targets:
            target = targets[turn % len(targets)]
            size = 3 if evenly else max(1, round(_TURN * target.share))
            if time.monotonic() > self._a.end:
                return
            judged += self._turn(target, self._a.seed + turn, min(size, cases - judged))
            turn += 1
            if not evenly and turn % _CLEAR == 0:
                tf.keras.backend.clear_session()
                gc.collect()

    def _turn(self, target: Target, seed: int, size: int) -> int:
        hunt = Hunt(target, self._judge, self._known)
        began = time.process_time()
        hunt.run(seed, size)
        key = target.kind, target.name
        self._table.seconds[key] += time.process_time() - began
        self._table.cases[key] += hunt.cases
        self._table.failing[key] += hunt.again + bool(hunt.found)
        if hunt.found:
            self._known.add((target.name, hunt.found.failure.signature))
            path = _written(hunt.found, self._a.out, seed)
            self._table.failures.append((hunt.found, path))
            print(f"{target.name}, seed {seed}: {hunt.found.failure.signature}", flush=True)
        return hunt.cases


def _written(found: Found, out: str, seed: int) -> str:
    name = re.sub(r"\W+", "-", f"{found.case.target} {found.failure.signature}").strip("-").lower()
    path = os.path.join(out, f"{name[:100]}.json")
    with open(path, "w", encoding="utf-8") as text:
        text.write(found.case.to_json(seed=seed, failure=found.failure.text[-3000:]))
    return path


def _repeat(paths: Sequence[str], place: str, in_process: bool) -> int:
    targets = _by_name(all_targets(place, with_models=in_process))
    judge = Judge(targets, place, in_process)
    failing = 0
    for path in paths:
        with open(path, encoding="utf-8") as text:
            failure = judge.failure(Case.from_json(text.read()))
        failing += failure is not None
        print(f"{path}: {failure.text if failure else 'passes'}", flush=True)
    return int(failing > 0)


def _in_child(do: Callable[[], object]) -> None:
    from benchmarks.soak import forks

    if forks.call(do):
        sys.exit("the inputs could not be made")


if __name__ == "__main__":
    sys.exit(main())
