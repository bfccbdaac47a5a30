"""Compute the time and bytes of the alternating trainer on M workers from unit costs.

    # 500 M videos, 16,675 classes, 50 to 5,000 workers
    python -m benchmarks.scale_simulator
    python -m benchmarks.scale_simulator --videos=11790 --classes=3862 --workers=1,2 --level=video
    python -m benchmarks.scale_simulator --page    # writes the tables of benchmarks/SCALE.md

Every assumption is an argument with a default. Nothing is measured, and TensorFlow is not needed.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from benchmarks.scale_simulator.costs import CHOICES, MAY_BE_ZERO, Costs
from benchmarks.scale_simulator.steps import simulate
from benchmarks.scale_simulator.table import table


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or write the page, and return 0; argparse ends a mistake with code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale_simulator",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--workers", default="50,500,5000", help="numbers, separated by commas")
    parser.add_argument("--page", action="store_true", help="write the tables of SCALE.md instead")
    for field in dataclasses.fields(Costs):
        # Any other word would be computed as one of them.
        parser.add_argument(
            f"--{field.name}",
            type=type(field.default),
            default=field.default,
            choices=CHOICES.get(field.name),
            help=f"default {field.default}",
        )
    values = vars(parser.parse_args(argv))
    given, page = values.pop("workers"), values.pop("page")
    workers = [int(w) if w.strip().isdigit() else 0 for w in given.split(",")]
    if min(workers) < 1:
        parser.error(f"--workers={given}: whole numbers from 1, separated by commas, were expected")
    for name, value in values.items():
        if name not in CHOICES and not (value > 0 or (value == 0 and name in MAY_BE_ZERO)):
            parser.error(f"--{name}={value}: a number above 0 was expected")
    costs = Costs(**values)
    if page:
        if costs != Costs():
            parser.error("--page: the page has its own settings; drop the other arguments")
        from benchmarks.scale_simulator.page import write_page

        write_page()
        return 0
    print(table([f"{w:,}" for w in workers], [simulate(costs, w) for w in workers]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
