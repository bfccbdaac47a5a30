"""Whole processes that use a trained MoeModel, as contenders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

from benchmarks.harness import limits, ours, starter
from benchmarks.harness.benchmark import Command, Comparison, Contender
from benchmarks.harness.work import Work

Flags = Callable[[Work, Path], Sequence[str]]
Count = Callable[[str, Path], int]


def moe(
    program: str,
    flags: Flags,
    rival: Callable[[Work, Sequence[str]], Command],
    count: Count,
    videos: int,
) -> list[Contender]:
    """Return one of our programs in both types, the starter code's, and their matrix products.

    Args:
      program: our root script.
      flags: `(work, folder)` to the flags that both take.
      rival: `(work, flags)` to the starter code's command.
      count: `(output, folder)` to the number of videos that were processed. The starter code ends
        with code 0 after some errors, and only this number shows them.
      videos: the number that there are.
    """

    def read(output: str, folder: Path) -> dict[str, float]:
        processed = count(output, folder)
        if not processed:
            raise ValueError(f"no video was processed; see {folder}.log")
        return {"videos": processed}

    def contender(dtype: str) -> Contender:
        def command(work: Work, folder: Path) -> Command:
            run = work.trained(dtype)
            return ours.python(program, f"--train_dir={run}", *flags(work, folder))

        return Contender(dtype, f"ours {dtype}", command, read)

    def theirs(work: Work, folder: Path) -> Command:
        run = f"--train_dir={work.starter_trained()}"
        return rival(work, [run, *flags(work, folder)])

    rivals = [Contender("starter", starter.LABEL, theirs, read, rival="starter")]
    products = [
        limits.products(dtype, 1024, [f"1024x1152x{3862 * 5}"], examples=videos)
        for dtype in ours.DTYPES
    ]
    return [*map(contender, ours.DTYPES), *rivals, *products]


def comparisons(
    goals: Mapping[str, float], shares: Mapping[str, float] | None = None
) -> list[Comparison]:
    """Return what the table shows of the contenders of `moe`.

    Args:
      goals: the most seconds that a type may take.
      shares: the least share of a type's seconds that its matrix products are to take.
    """
    found = [Comparison(dtype, "starter", "wall_seconds") for dtype in ours.DTYPES]
    found += [Comparison(dtype, "", "wall_seconds", goal) for dtype, goal in goals.items()]
    for dtype in ours.DTYPES:
        goal = (shares or {}).get(dtype)
        products = f"products {dtype}"
        found.append(
            Comparison(dtype, products, "wall_seconds", goal, beside_metric="product_seconds")
        )
    return found + [Comparison(dtype, "starter", "processor_seconds") for dtype in ours.DTYPES]
