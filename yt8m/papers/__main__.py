"""List, show, run and tabulate the rows of the papers' tables.

`record` and `report` write the results that are part of the project, and need its checkout.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from yt8m.errors import UserError
from yt8m.flags import Parser, bounded
from yt8m.papers import commands, results, tables
from yt8m.papers.is_current import commands_now, sort_out
from yt8m.papers.league import command as league
from yt8m.papers.make_data import lacking_source
from yt8m.papers.paper_row import PaperRow, VariantName
from yt8m.papers.paper_tables import ABOUT, TABLES, find, rows_of, runs_of, tables_with_rows
from yt8m.papers.row_files import load_all
from yt8m.papers.small_data import DataSet, describe
from yt8m.process.guard import run_main
from yt8m.runs.stop_signal import Stopped

if TYPE_CHECKING:
    from yt8m.papers.runner import Runner

Rows = dict[str, PaperRow]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    about = (__doc__ or "").partition("\n\n")[0]
    top = Parser(prog="python -m yt8m.papers", description=about)
    commands_ = top.add_subparsers(dest="what", required=True)

    def add(name: str, about: str) -> argparse.ArgumentParser:
        return commands_.add_parser(name, help=about, description=about)

    def add_places(p: argparse.ArgumentParser) -> None:
        runs = "folder of runs and data sets (default: %(default)s in the current folder)"
        p.add_argument("--out_dir", default=commands.USUAL_PLACE, help=runs)
        sample = "the real sample, with train/ and validate/ (default: $YT8M_SAMPLE_DIR)"
        p.add_argument("--sample_dir", default="", help=sample)
        real = "AudioSet's embeddings, with train/ and validate/ (default: $YT8M_AUDIOSET_DIR)"
        p.add_argument("--audioset_dir", default="", help=real)

    add("list", "print every row by table")
    show = add("show", "print the paper's numbers and the commands of a row's variants")
    show.add_argument("name", help="name of a row")
    run = add("run", "run a row; the same command resumes it, and a finished run is not repeated")
    run.add_argument("name", help="name of a row")
    run.add_argument(
        "--variant",
        choices=("small", "paper", "code"),
        default="small",
        help="the small setting, that of the paper's text, or that of its code (default: small)",
    )
    data = (
        "a data set, or a folder with train* and validate* records (default: the first one of the"
        " row)"
    )
    run.add_argument("--data", default="", help=data)
    run.add_argument(
        "--seed",
        type=bounded(int, 0, 2**32 - 1),
        default=None,
        help=("seed of the run (default: the first one of the row)"),
    )
    run.add_argument("--again", action="store_true", help="delete an earlier run and start over")
    add_places(run)
    table = add(
        "table", ("run the missing rows of a table, and print it next to the paper's numbers")
    )
    others = f"; or {league.NAME}, which has flags of its own (`table {league.NAME} --help`)"
    table.add_argument("table", help=", ".join(TABLES) + others)
    only_print = "run nothing: print the finished runs in --out_dir, or else the committed results"
    table.add_argument("--norun", action="store_true", help=only_print)
    add_places(table)
    every = add(
        "run-all",
        ("run every small variant and continue after failures; the same command resumes it"),
    )
    every.add_argument("--tables", default="", help="comma-separated tables (default: all)")
    dry = "only print what would be run, and the expected time in minutes"
    every.add_argument("--dry", action="store_true", help=dry)
    add_places(every)
    record = add("record", "add the results of finished small variants to the project's checkout")
    runs = "folder of runs (default: %(default)s in the current folder)"
    record.add_argument("--out_dir", default=commands.USUAL_PLACE, help=runs)
    add("report", "write RESULTS.md in the project's checkout from the recorded results")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
      Exit code: 0, 1 if a command of a row failed, 2 for a user's mistake, or that of `Stopped`.
    """
    from yt8m.papers.one_run import Failed

    a = _parsed(list(sys.argv[1:] if argv is None else argv))
    try:
        return _DO[a.what](a, load_all())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if error.code == 2 else 1
    except Stopped as stopped:
        print(f"error: {stopped}; the same command resumes it", file=sys.stderr)
        return stopped.code
    except BrokenPipeError:  # as of `... list | head`, which needs no more; a run is not finished
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        prints = a.what in ("list", "show")
        return 0 if prints or getattr(a, "norun", False) or getattr(a, "dry", False) else 141
    except OSError as error:
        # Only a place that cannot be written is the user's mistake.
        out_dir = os.path.abspath(getattr(a, "out_dir", results.ROOT))
        if not os.path.abspath(str(error.filename or "")).startswith(out_dir):
            raise
        fix = "--out_dir names a folder that can be written"
        print(f"error: {error.filename}: {error.strerror}; {fix}.", file=sys.stderr)
        return 2


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """Return the parsed command line; `table league` has flags of its own."""
    if arguments[:1] == ["table"] and league.NAME in arguments:
        arguments.remove(league.NAME)
        return league.parser().parse_args(arguments[1:])
    return parser().parse_args(arguments)


def _list(a: argparse.Namespace, rows: Rows) -> int:
    for table in tables_with_rows(rows):
        print(f"\ntable {table}: {TABLES[table]}")
        for r in rows_of(table, rows):
            small = f"{r.small.minutes:g} min on {', '.join(r.small.data)}"
            print(f"  {r.name:<24} {r.row:<28} paper: {_reported(r):<26} small: {small}")
    return 0


def _reported(row: PaperRow) -> str:
    return ", ".join(f"{k.upper()} {v:g}" for k, v in row.reported.items()) or "not reported"


def _show(a: argparse.Namespace, rows: Rows) -> int:
    row = find(a.name, rows)
    print(f"{row.name}: {row.row}, {row.source}")
    print(f"paper: {_reported(row)}")
    for notes in (ABOUT.get(row.table), row.notes):
        if notes:
            print(f"notes: {notes}")
    print(f"\npaper's setting, on {', '.join(row.paper.data)}:")
    _print_commands(row, rows, "paper", commands.PAPER_DATA)
    if row.code:
        print("\nsetting of the published code, on the same data:")
        _print_commands(row, rows, "code", commands.PAPER_DATA)
    committed = results.committed()
    for data in row.small.data:
        expected = f"about {row.small.minutes:g} min"
        r = results.small_result(committed, row.name, data, row.small.seeds[0])
        if r:
            minutes, m = round(r["seconds"] / 60, 1), r["metrics"]
            expected = f"{minutes:g} min, GAP {m['gap']:.4f}, MAP {m['map']:.4f}"
        command = f"python -m yt8m.papers run {row.name} --data={data}"
        print(f"\nsmall, on {data} ({expected}): {command}")
        usual = os.path.join(commands.USUAL_PLACE, "data")
        _print_commands(row, rows, "small", describe(data, usual))
    return 0


def _print_commands(row: PaperRow, rows: Rows, variant: VariantName, data: DataSet) -> None:
    fuse = row.variant(variant).fuse
    if fuse:
        print(f"  fusion of {', '.join(fuse.inputs)} by --method={fuse.method}")
        return
    for command in commands_now(rows, row.name, variant, data, row.variant(variant).seeds[0]):
        print("  " + command)


def _runner(a: argparse.Namespace, rows: Rows) -> Runner:
    from yt8m.papers.runner import Runner  # imports TensorFlow

    return Runner(rows, a.out_dir, a.sample_dir, audioset_dir=a.audioset_dir)


def _run(a: argparse.Namespace, rows: Rows) -> int:
    row = find(a.name, rows)
    seed = row.variant(a.variant).seeds[0] if a.seed is None else a.seed
    _runner(a, rows).run(a.name, a.variant, a.data, seed, a.again)
    return 0


def _table(a: argparse.Namespace, rows: Rows) -> int:
    shown = rows_of(a.table, rows)
    runs, folder = runs_of(shown), os.path.join(a.out_dir, "data")
    sources = [lacking_source(r[1], folder, a.sample_dir, a.audioset_dir) for r in runs]
    lacking = [] if a.norun else [source for source in sources if source]
    norun = a.norun or bool(lacking)
    code = 0 if norun else _run_each(a, rows, runs)
    names = {r.name for r in shown}
    ran = (r for r in results.in_folder(a.out_dir) if r["recipe"] in names)
    found, others = sort_out(ran, rows)
    if others:
        print(
            "\nleft out, because these runs have settings that differ from those of their rows now"
            f" (`run NAME --again` repeats one): {_named(others)}"
        )
    if norun:
        own = {_key(r) for r in found}
        found += [r for r in results.committed() if _key(r) not in own]
    print("\n" + tables.as_text(shown[0].table, shown, found))
    if lacking:
        print(
            f"\nThese are the committed results. {len(lacking)} of the {len(runs)} runs need"
            f" {', and '.join(dict.fromkeys(lacking))}. The same command then runs them"
            " (docs/data.md says where to get the shards)."
        )
    return code


def _key(result: results.Result) -> tuple[str, str, int]:
    return result["recipe"], result["data"]["name"], result["seed"]


def _named(found: Iterable[results.Result]) -> str:
    return ", ".join("{} on {}, seed {}".format(*_key(r)) for r in found)


def _run_all(a: argparse.Namespace, rows: Rows) -> int:
    wanted = [t.strip() for t in a.tables.split(",") if t.strip()]
    chosen = [rows[r.name] for t in wanted for r in rows_of(t, rows)] or list(rows.values())
    runs = runs_of(chosen)
    minutes = sum(r.small.minutes for r, _, _ in runs)
    print(f"{len(runs)} runs, about {minutes:.0f} minutes if none is finished yet")
    if a.dry:
        for row, data, seed in runs:
            print(f"  {row.name:<24} {data:<20} seed {seed}  {row.small.minutes:g} min")
        return 0
    return _run_each(a, rows, runs)


def _run_each(a: argparse.Namespace, rows: Rows, runs: Sequence[tuple[PaperRow, str, int]]) -> int:
    from yt8m.papers.one_run import Failed

    runner = _runner(a, rows)
    failures: list[str] = []
    for i, (row, data, seed) in enumerate(runs):
        print(f"[{i + 1}/{len(runs)}] ", end="", flush=True)
        try:
            runner.run(row.name, "small", data, seed)
        except (UserError, Failed) as error:
            failures.append(f"{row.name} on {data}, seed {seed}: {error}")
            print(f"FAILED {failures[-1]}", flush=True)
    print(f"\n{len(runs) - len(failures)} of {len(runs)} done", flush=True)
    for failure in failures:
        print(f"  failed: {failure}", flush=True)
    return 1 if failures else 0


def _record(a: argparse.Namespace, rows: Rows) -> int:
    results.check_checkout("record")
    found, others = sort_out(results.in_folder(a.out_dir), rows)
    if others:
        raise UserError(
            f"{a.out_dir} contains runs whose settings differ from those of their rows now:"
            f" {_named(others)}. Nothing was recorded; repeat them by `run NAME --again`, or delete"
            " their folders."
        )
    if not found:
        raise UserError(
            f"--out_dir={a.out_dir} contains no finished run of a small variant on a data set of"
            " its row; `run NAME` makes one."
        )
    written = results.record(found, rows)
    print(
        f"recorded {len(written)} results of {a.out_dir} in {results.COMMITTED};"
        " `report` writes RESULTS.md from them"
    )
    return 0


def _report(a: argparse.Namespace, rows: Rows) -> int:
    from yt8m.papers.results_page import PATH, report

    results.check_checkout("report")
    text = report(rows, results.committed())
    with open(PATH + ".tmp", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(PATH + ".tmp", PATH)
    print(f"wrote {PATH}")
    return 0


_DO: dict[str, Callable[[argparse.Namespace, Rows], int]] = {
    "list": _list,
    "show": _show,
    "run": _run,
    "table": _table,
    "run-all": _run_all,
    "record": _record,
    "report": _report,
    league.NAME: lambda a, rows: league.main(a),
}

if __name__ == "__main__":
    run_main(main)
