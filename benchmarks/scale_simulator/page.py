"""The tables of `benchmarks/SCALE.md`, between their markers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

from benchmarks.harness.store import write_text
from benchmarks.scale_simulator.scenarios import TABLES

PAGE = Path(__file__).parents[1] / "SCALE.md"
_PART = re.compile(r"(<!-- table: (\w+) -->)\n.*?\n(<!-- end -->)", re.S)


def filled(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return a page with every table between its markers computed again.

    Raises:
      ValueError: the page has not every table once.
    """
    there = [match[2] for match in _PART.finditer(text)]
    if sorted(there) != sorted(tables):
        raise ValueError(f"the page has the tables {there}, and there are {list(tables)}")
    return _PART.sub(lambda match: f"{match[1]}\n\n{tables[match[2]]()}\n\n{match[3]}", text)


def write_page() -> None:
    """Write the page's tables again."""
    write_text(PAGE, filled(PAGE.read_text(), TABLES))
