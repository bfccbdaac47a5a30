"""Measure how time and memory grow with batch, frames, classes, experts, shards and videos.

Each point is a process of its own with a time limit, and is stored at once in
docs/growth/results.json; docs/full-release.md gets the table, docs/growth the figures. The same
command takes the points that are missing, and those of another machine, version or commit again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.growth.curves import CURVES
from benchmarks.growth.data import Data
from benchmarks.growth.measure import measure
from benchmarks.growth.page import page
from benchmarks.growth.plots import draw
from benchmarks.harness.context import context
from benchmarks.harness.settings import ROOT, Settings
from benchmarks.harness.store import Store, write_text
from yt8m import cli
from yt8m.errors import UserError, near_misses

_QUICK_SIZES, _QUICK_VIDEOS = 3, 16_000


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="names of curves, separated by commas")
    parser.add_argument(
        "--minutes", type=float, default=25.0, help="no point is begun later (default: 25)"
    )
    parser.add_argument(
        "--work_dir", default="runs/growth", help="folder for records (default: runs/growth)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes only; the results go to WORK_DIR/quick"
    )
    parser.add_argument("--list", action="store_true", help="print the curves, and exit")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing, and write the page; return 1 if a point is missing."""
    given = _parse(argv)
    names = [curve.name for curve in CURVES]
    for name in filter(None, given.only.split(",")):
        if name not in names:
            raise UserError(f"--only={name} is no curve.{near_misses(name, names)}")
    chosen = [c for c in CURVES if not given.only or c.name in given.only.split(",")]
    if given.list:
        print("\n".join(f"{c.name}: {c.title}; {c.axis} {list(c.sizes)}" for c in chosen))
        return 0
    data = Data(Path(given.work_dir).resolve())
    out, text = ROOT / "docs" / "growth", ROOT / "docs" / "full-release.md"
    if given.quick:
        chosen = [c.reduced(_QUICK_SIZES) for c in chosen]
        data = Data(data.folder / "quick", _QUICK_VIDEOS)
        out, text = data.folder, data.folder / "full-release.md"
    out.mkdir(parents=True, exist_ok=True)
    store = Store(out / "results.json")

    def write() -> None:
        old = text.read_text() if text.exists() else "# How cost grows\n"
        write_text(text, page(old, CURVES, store))

    where = context(Settings(quick=given.quick))
    try:
        complete = measure(chosen, data, store, where, 60 * given.minutes, write)
    finally:  # an interrupted run has its figures too
        write()
        draw(out, CURVES, store)
    print(f"\nthe table is in {text}, the figures are in {out}")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
