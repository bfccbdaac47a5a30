"""Whole processes that use a trained MoeModel, as contenders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from benchmarks.harness import ours, starter
from benchmarks.harness.benchmark import Command, Contender
from benchmarks.harness.work import Work

Flags = Callable[[Work, Path], Sequence[str]]
Count = Callable[[str, Path], int]


def moe(
    program: str, flags: Flags, rival: Callable[[Work, Sequence[str]], Command], count: Count
) -> list[Contender]:
    """Return one of our programs in both types, and the starter code's.

    Args:
      program: our root script.
      flags: `(work, folder)` to the flags that both take.
      rival: `(work, flags)` to the starter code's command.
      count: `(output, folder)` to the number of videos that were processed. The starter code ends
        with code 0 after some errors, and only this number shows them.
    """

    def read(output: str, folder: Path) -> dict[str, float]:
        videos = count(output, folder)
        if not videos:
            raise ValueError(f"no video was processed; see {folder}.log")
        return {"videos": videos}

    def contender(dtype: str) -> Contender:
        def command(work: Work, folder: Path) -> Command:
            run = work.trained(dtype)
            return ours.python(program, f"--train_dir={run}", *flags(work, folder))

        return Contender(dtype, f"ours {dtype}", command, read)

    def theirs(work: Work, folder: Path) -> Command:
        run = f"--train_dir={work.starter_trained()}"
        return rival(work, [run, *flags(work, folder)])

    rivals = [Contender("starter", starter.LABEL, theirs, read, rival="starter")]
    return [*map(contender, ours.DTYPES), *rivals]
