"""The files that make up a share: the same for the same seed, and nested.

A shard is a random sample of its split, so a share of the files is a fair share of the videos.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from fractions import Fraction

from yt8m.errors import UserError


def choose(names: Iterable[str], share: str, seed: int) -> list[str]:
    """Return the names that belong to a share, sorted.

    A fraction takes the first names of a permutation that depends on the seed, so that a smaller
    share is part of each larger one. `K,N` is the rule of the starter code's script, which has no
    seed: the parts 1,N to N,N are disjoint, and their sizes differ by chance
    (docs/sources.md#published-files).

    Args:
      names: published names.
      share: "1/100", "0.01", "1", or "K,N".
      seed: chooses the permutation.

    Raises:
      UserError: the share is none of these.
    """
    part = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*", share)
    if part:
        return _starter_part(sorted(names), int(part[1]), int(part[2]), seed)
    ordered = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return sorted(ordered[: _count(len(ordered), share)])


def _count(total: int, share: str) -> int:
    """Return the share of a total, rounded to the nearest whole number and at least 1."""
    try:
        fraction = Fraction(share.strip())
    except (ValueError, ZeroDivisionError):
        fraction = Fraction(0)
    if not 0 < fraction <= 1:
        raise UserError(
            f"--share={share}: expected a fraction above 0 and at most 1, such as 1/100 or 0.01, or"
            " K,N for the K-th of N parts."
        )
    return min(total, max(1, int(total * fraction + Fraction(1, 2))))


def _starter_part(names: list[str], part: int, parts: int, seed: int) -> list[str]:
    if not 1 <= part <= parts:
        raise UserError(f"--share={part},{parts}: expected K,N with K from 1 to N.")
    if seed:
        raise UserError(
            f"--share={part},{parts} is the starter code's division, which has no seed; give"
            f" --share=1/{parts} with --seed={seed}, or leave out --seed."
        )
    chosen = [name for name in names if _md5_number(name) % parts == part - 1]
    if not chosen:
        raise UserError(
            f"--share={part},{parts} holds none of the {len(names)} files; give a smaller N, or"
            " --share=1/N, which holds at least one."
        )
    return chosen


def _md5_number(name: str) -> int:
    return int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16)
