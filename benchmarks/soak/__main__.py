"""Kill every command at random, give it again, and compare the end with an undisturbed run.

    python -m benchmarks.soak --minutes=30

Each cycle prints its seed, and `--only=JOB --seed=SEED --rounds=1` repeats it. Results are written
to `OUT/results.jsonl` as they come, and the same command goes on after them. The exit code is 1 if
anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.soak import cluster, forks, inputs
from benchmarks.soak.fingerprint import differences, fingerprint
from benchmarks.soak.jobs import JOBS, Job, Place
from benchmarks.soak.ledger import Ledger

_KILLS_OF_A_CYCLE = 3
_OF_CLUSTER = "cluster"
NAMES = (*(job.name for job in JOBS), _OF_CLUSTER)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if anything differs."""
    a = _parsed(argv)
    os.makedirs(a.out, exist_ok=True)
    ledger = Ledger(os.path.join(a.out, "results.jsonl"))
    print(f"seed {a.seed}; results in {a.out}/results.jsonl", flush=True)
    forks.import_commands()
    data = os.path.join(a.out, "data")
    inputs.make(data)
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(contextlib.closing(inputs.Server()))
        place = Place(data, data, os.path.join(a.out, "work"), server.url)
        jobs = [job for job in JOBS if job.name in a.only]
        if _OF_CLUSTER in a.only:
            if cluster.is_there():
                jobs += cluster.jobs(opened.enter_context(contextlib.closing(cluster.Cluster())))
            else:
                print(cluster.MISSING, flush=True)
        opened.callback(lambda: print(ledger.table(job.name for job in jobs), flush=True))
        _soak(a, ledger, place, jobs)
    return int(bool(ledger.failures()))


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", default="runs/soak", help="folder for everything")
    parser.add_argument("--minutes", type=float, default=30, help="no cycle begins after them")
    parser.add_argument("--kills", type=int, default=150, help="no cycle begins after so many")
    parser.add_argument("--rounds", type=int, default=1000, help="cycles of each job in this call")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first round; others follow it"
    )
    parser.add_argument("--only", default="", help=f"semicolon-separated: {'; '.join(NAMES)}")
    a = parser.parse_args(argv)
    a.out = os.path.abspath(a.out)
    a.only = [name.strip() for name in a.only.split(";") if name.strip()] or list(NAMES)
    unknown = set(a.only) - set(NAMES)
    if unknown:
        parser.error(f"--only={'; '.join(sorted(unknown))}: the jobs are {'; '.join(NAMES)}")
    return a


def _soak(a: argparse.Namespace, ledger: Ledger, place: Place, jobs: Sequence[Job]) -> None:
    end, before = time.monotonic() + 60 * a.minutes, len(ledger.cycles()) // max(1, len(jobs))
    for number in range(before, before + a.rounds):
        for job in jobs:
            if time.monotonic() > end or ledger.kills() >= a.kills:
                return
            _cycle(ledger, job, place, a.seed + number)


def _cycle(ledger: Ledger, job: Job, place: Place, seed: int) -> None:
    """Kill a job a few times, let it end, and write down what differs."""
    rng = random.Random(f"{job.name} {seed}")
    reference = ledger.reference(job.name) or _reference(ledger, job, place)
    began, kills = time.monotonic(), []
    _empty(place)
    log = _log(place, job, str(seed))
    for _ in range(_KILLS_OF_A_CYCLE):
        kill = job.kill(rng, reference["seconds"], reference["calls"])
        ended = job.run(place, log, kill)
        if ended.struck:
            kills.append(kill.said())
        if ended.code != -signal.SIGKILL:
            break
    else:
        ended = job.run(place, log)
    found = [f"exit code {ended.code}, see {log}"] if ended.code else []
    found += differences(reference["files"], fingerprint(place.out))
    line = ledger.add(
        kind="cycle", job=job.name, seed=seed, kills=kills, differences=found,
        seconds=round(time.monotonic() - began, 1),
    )  # fmt: skip
    if found:
        kept = f"{place.out}.{job.name.replace(', ', '-')}-{seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(place.out, kept)
    print(f"{ledger.kills():4} kills  {json.dumps(line)}", flush=True)


def _reference(ledger: Ledger, job: Job, place: Place) -> dict[str, Any]:
    """Run a job undisturbed."""
    _empty(place)
    log = _log(place, job, "reference")
    ended = job.run(place, log)
    if ended.code:
        raise RuntimeError(f"{job.name} failed undisturbed; see {log}")
    return ledger.add(
        kind="reference", job=job.name, seconds=round(ended.seconds, 2), calls=ended.calls,
        files=fingerprint(place.out),
    )  # fmt: skip


def _empty(place: Place) -> None:
    shutil.rmtree(place.out, ignore_errors=True)
    os.makedirs(place.out)


def _log(place: Place, job: Job, which: str) -> str:
    folder = os.path.join(os.path.dirname(place.out), "logs")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"{job.name.replace(', ', '-')}-{which}.txt")


if __name__ == "__main__":
    sys.exit(main())
