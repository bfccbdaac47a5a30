"""Takes the points that are missing, each as a process with a limit, within a total of minutes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from typing import Any, Callable

from benchmarks.growth.curves import Curve
from benchmarks.growth.data import Data
from benchmarks.harness.process import ProcessFailed, run
from benchmarks.harness.store import Store
from benchmarks.harness.table import number

OURS = "ours"
_LEAST_SECONDS = 10.0  # no point is begun with less time than this


def measure(
    curves: Iterable[Curve],
    data: Data,
    store: Store,
    context: dict[str, Any],
    seconds: float,
    written: Callable[[], None],
) -> bool:
    """Take the points that the store lacks; return whether none is missing at the end.

    A point that fails, or takes longer than its limit, is stored with the reason; larger ones of
    its curve are not tried. The next call tries again.

    Args:
      curves: what to measure.
      data: makes the files that points read.
      store: gets each point at once.
      context: where the points are measured; those of another context are dropped.
      seconds: when they have passed, no further point is begun.
      written: is called after each point.
    """
    end, complete = time.monotonic() + seconds, True
    for curve in curves:
        print(f"\n{curve.name}: {curve.title}", flush=True)
        if store.open(curve.name, context):
            print("  the earlier points are of another machine, version or commit: dropped")
        reasons = store.content[curve.name]["missing"] = {}
        for size in curve.sizes:
            if store.has(curve.name, OURS, size):
                continue
            left = end - time.monotonic()
            if reasons or left < _LEAST_SECONDS:
                reason = "a smaller one failed" if reasons else "no time was left"
            else:
                reason = _take(curve, size, data, store, left)
            if reason:
                reasons[str(size)] = reason
                complete = False
            store.save()
            written()
    return complete


def _take(curve: Curve, size: int, data: Data, store: Store, left: float) -> str:
    """Take a point; return why it could not be taken, or ""."""
    folder = data.folder / "measured" / curve.name / str(size)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        command = curve.command(data, folder, size)
        finished = run(command, folder.with_suffix(".log"), min(curve.limit, left))
        own = curve.read(finished.output, finished.values["wall_seconds"], size)
    except (ProcessFailed, OSError, ValueError) as error:
        print(f"  {curve.axis} {size:,} failed: {error}", flush=True)
        return str(error).splitlines()[-1][:100]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    values = {**{k: finished.values[k] for k in ("peak_gb", "other_cores")}, **own}
    store.add(curve.name, OURS, size, values)
    shown = ", ".join(f"{name} {number(value)}" for name, value in values.items())
    print(f"  {curve.axis} {size:,}: {shown}", flush=True)
    return ""


def points(store: Store, curve: str, value: str) -> dict[float, float]:
    """Return the measured points of a curve: size -> value."""
    rounds = store.rounds(curve)
    return {size: found[OURS][value] for size, found in sorted(rounds.items())}
