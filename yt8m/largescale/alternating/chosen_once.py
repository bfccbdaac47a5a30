"""A number that decides a worker's memory: chosen once for a run by what is predicted, and kept.

Results depend on it, if only in their last digits. So it must not change when the run is resumed on
other machines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Callable, TypeVar

import tensorflow as tf

from yt8m.files import write_json
from yt8m.largescale.alternating.context import Context
from yt8m.runs.folder import ALTERNATION
from yt8m.stored import exists, intact, read_object

_SHARE = 0.8  # of a worker's memory; predictions are within a fifth of what is taken
Memory = TypeVar("Memory", bound=Any)


def choose_once(
    context: Context,
    file: str,
    name: str,
    given: int,
    candidates: Sequence[int],
    predict: Callable[[int], Memory],
    advice: str,
) -> tuple[int, Memory]:
    """Return the run's number and what is predicted for it, for which its tasks will ask.

    Args:
      context: the run; the number is kept in its folder.
      file: the name of the file.
      name: the number's, in the file.
      given: the number that a flag gives; 0 lets the kept one be taken, or else the first of the
        candidates that fits into a worker's memory, or the last.
      candidates: numbers, of which each needs no more memory than the one before it.
      predict: returns the memory for a number: a dataclass with `own`, what each process of a node
        needs, and `growth`, what this process needs in addition.
      advice: for a file that cannot be read.

    Raises:
      UserError: the file cannot be read.
    """
    path, kept = context.run.file(f"{ALTERNATION}/{file}"), 0
    if exists(path):
        values = read_object(path, advice)
        with intact(path, advice):
            kept = int(values[name])
            if kept < 1:
                raise ValueError(f"{name} is {kept}")
    limit = context.executor.worker_memory()
    known: dict[int, Memory] = {}

    def need(number: int) -> int:
        if number not in known:
            known[number] = predict(number)
        memory = known[number]
        return int(memory.growth if context.executor.local else memory.own)

    number = given or kept
    if not number:
        number = _first(candidates, lambda n: not limit or need(n) <= _SHARE * limit)
    context.executor.task_memory = need(number)
    if kept != number:
        tf.io.gfile.makedirs(path.rpartition("/")[0])
        write_json(path, {name: number, "predicted": dataclasses.asdict(known[number])})
    return number, known[number]


def _first(candidates: Sequence[int], fits: Callable[[int], bool]) -> int:
    """Return the first candidate that fits, if all after it do too; the last if none does."""
    if fits(candidates[0]):  # the usual case, for one prediction
        return candidates[0]
    low, high = 1, len(candidates)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(candidates[middle]) else (middle + 1, high)
    return candidates[min(low, len(candidates) - 1)]
