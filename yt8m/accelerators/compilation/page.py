"""The tables of docs/accelerators.md, written from the results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import tensorflow as tf

import yt8m
from yt8m.accelerators.compilation.chips import Chip, chip_of
from yt8m.accelerators.compilation.request import Row
from yt8m.accelerators.compilation.roofline import bound, flops, is_bound_by_compute, memory_bytes
from yt8m.errors import UserError
from yt8m.files import read_text, write_text

# The page of the checkout, if the package is in one.
PAGE = os.path.normpath(os.path.join(os.path.dirname(yt8m.__file__), "../docs/accelerators.md"))
BEGIN, END = "<!-- compiled: begin -->\n", "<!-- compiled: end -->\n"
FIRST = "v5e:2x2"  # the topology of the first tables
LOOPS = " +"  # marks bytes that leave out all rounds of a loop but one
_HEADINGS = (
    "Model",
    "Program",
    "Videos × frames",
    "Arguments, GB",
    "Temporaries, GB",
    "Of the memory",
    "GFLOP",
    "GB moved",
    "Bound, examples/s",
)


def with_tables(page: str, rows: Sequence[Row]) -> str:
    """Return the text of the page with the tables of these rows.

    Raises:
      UserError: the page has no place for them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"the page has no lines {BEGIN.strip()} and {END.strip()}.")
    return f"{before}{BEGIN}{tables(rows)}{END}{after}"


def write_page(path: str, rows: Sequence[Row]) -> None:
    """Replace the tables in a page.

    Raises:
      UserError: there is no such page, or it has no place for them.
    """
    if not tf.io.gfile.exists(path):
        raise UserError(f"--page={path} does not exist; the project's own page is in its checkout.")
    write_text(path, with_tables(read_text(path), rows))


def tables(rows: Sequence[Row]) -> str:
    """Return a table for each topology, type and number of replicas, and the rows that failed."""
    parts = [_made_with(rows)]
    found = {(r["topology"], r["replicas"], r["dtype"]) for r in rows}
    keys = sorted(found, key=lambda key: (key[0] != FIRST, key))
    for topology, replicas, dtype in keys:
        of_key = [
            r
            for r in rows
            if (r["topology"], r["replicas"], r["dtype"]) == (topology, replicas, dtype)
        ]
        chip = chip_of(topology)
        shared = f" on {replicas} chips" if replicas > 1 else ""
        parts.append(f"### TPU {chip.name}{shared}, {dtype}\n\n{_table(of_key, chip)}")
        failed = [f"- {_name(r)}: {_first_line(r['error'])}" for r in of_key if "error" in r]
        if failed:
            parts.append("Not compiled:\n\n" + "\n".join(failed) + "\n")
    return "\n".join(parts)


def _made_with(rows: Iterable[Row]) -> str:
    dates = sorted({r["date"] for r in rows})
    versions = sorted({", ".join(f"{k} {v}" for k, v in r["versions"].items()) for r in rows})
    when = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else "never"
    return f"Compiled {when} with {'; '.join(versions) or 'nothing'}.\n"


def _table(rows: Iterable[Row], chip: Chip) -> str:
    lines = [_HEADINGS, tuple("---" if i < 3 else "--:" for i in range(len(_HEADINGS)))]
    lines += [_cells(row, chip) for row in rows if "error" not in row]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: Row, chip: Chip) -> tuple[str, ...]:
    memory = chip.share(chip.memory)
    limit = "compute" if is_bound_by_compute(row, chip) else "memory"
    return (
        row["model"],
        row["program"],
        _batch(row),
        f"{row['argument_bytes'] / 1e9:.2f}",
        f"{row['temporary_bytes'] / 1e9:.2f}",
        f"{100 * memory_bytes(row) / memory:.0f} %",
        f"{flops(row) / 1e9:,.0f}",
        f"{row['bytes'] / 1e9:.2f}" + (LOOPS if row["loops"] else ""),
        f"{_rounded(bound(row, chip)):,} ({limit})",
    )


def _rounded(value: float) -> int:
    """Return a number with two digits that count: a bound is no measurement."""
    return int(float(f"{value:.2g}"))


def _batch(row: Row) -> str:
    return f"{row['batch_size']}" + (f" × {row['num_frames']}" if row.get("num_frames") else "")


def _name(row: Row) -> str:
    return f"{row['model']} {row['program']}, batch {row['batch_size']}"


def _first_line(text: str) -> str:
    return text.splitlines()[0][:200]
