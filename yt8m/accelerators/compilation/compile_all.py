"""Compile several programs, each in a process of its own, and keep what became of them."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

from yt8m.accelerators.compilation.request import Request, Row
from yt8m.accelerators.compilation.results import Results, is_current
from yt8m.accelerators.compilation.sources import source_hash
from yt8m.files import read_json
from yt8m.process import child_process
from yt8m.process.answered_signals import Ended

_PACKAGES = ("tensorflow", "jax", "libtpu")
_COMPILER = "libtpu"  # what the others did is in the program
_CHILD = (sys.executable, "-m", "yt8m.accelerators.compilation.compile_one")


def compile_all(
    requests: Iterable[Request],
    results: Results,
    minutes: float,
    say: Callable[[str], None],
    child: Iterable[str] = _CHILD,
) -> None:
    """Compile what has no current row in the results; half the batch follows one that is too large.

    Args:
      requests: what to compile, in order.
      results: where rows are found and kept.
      minutes: after which a compiler is stopped; 0: never.
      say: shows a line for each request.
      child: the command that compiles one program.
    """
    waiting = list(requests)
    total = len(waiting)
    while waiting:
        request = waiting.pop(0)
        number = total - len(waiting)
        row = results.get(request)
        if row is None or not is_current(row):
            row = _compile(request, row or {}, minutes, child)
            results.put(request, row)
            say(f"[{number}/{total}] {request}: {summary(row)}")
        smaller = request.halved() if row.get("too_large") else None
        if smaller:
            waiting.insert(0, smaller)
            total += 1


def summary(row: Row) -> str:
    """Return one line on what became of a request."""
    if "error" in row:
        return f"not compiled: {row['error'].splitlines()[0][:200]}"
    seconds = row.get("compile_seconds", 0.0)
    return f"{(row['argument_bytes'] + row['temporary_bytes']) / 1e9:.2f} GB, {seconds:.0f} s"


def _compile(request: Request, before: Row, minutes: float, child: Iterable[str]) -> Row:
    """Return the row of a request, from the row before it where the program is the same."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    same_compiler = before.get("versions", {}).get(_COMPILER) == versions[_COMPILER]
    known = before.get("program_hash", "") if same_compiler else ""
    about = {
        "source_hash": source_hash(request.model, request.program),
        "date": datetime.date.today().isoformat(),
        "versions": versions,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "row.json")
        said: list[str] = []
        asked = json.dumps(dataclasses.asdict(request))
        ended = child_process.run([*child, asked, path, known], say=said.append, limit=60 * minutes)
        if ended.stopped:
            raise Ended(ended.stopped)
        found: dict[str, Any] = read_json(path) if os.path.exists(path) else {}
    found["host_bytes"] = ended.peak_bytes
    if ended.code:
        found["error"] = _reason(ended, said, minutes)
    elif known and found["program_hash"] == known:
        return {**before, "source_hash": about["source_hash"]}
    return {**found, **about}


def _reason(ended: child_process.Finished, said: list[str], minutes: float) -> str:
    """Return why a child failed, in a line."""
    if ended.code == 137:
        limit = f" after {minutes:g} minutes" if 0 < 60 * minutes <= ended.seconds else ""
        return f"the compiler was killed{limit}, or the memory of this machine did not suffice"
    last = [line for line in said if line.strip()][-1:]
    return f"the compiler ended with code {ended.code}: {''.join(last)[:400]}"
