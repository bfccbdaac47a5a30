"""`python -m yt8m.papers`: list, show, run and tabulate the reported results, and keep what they gave."""

from __future__ import annotations

import yt8m.quiet  # noqa: F401

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Callable

from yt8m.errors import UserError
from yt8m.papers import commands, paper_row, results, tables
from yt8m.papers.is_current import commands_now, sort_out
from yt8m.papers.paper_row import PaperRow
from yt8m.papers.small_data import DataSet, describe

DEFAULT_OUT = os.path.join(results.ROOT, "runs", "recipes")
STOPPED = (130, 143)  # asked to stop: go no further


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    top = argparse.ArgumentParser(prog="python -m yt8m.papers", description=__doc__)
    commands_ = top.add_subparsers(dest="what", required=True)

    def add(name: str, about: str) -> argparse.ArgumentParser:
        return commands_.add_parser(name, help=about, description=about)

    def places(p: argparse.ArgumentParser) -> None:
        p.add_argument(
            "--out_dir",
            default=DEFAULT_OUT,
            help="runs and made data sets; default runs/recipes of the checkout",
        )
        p.add_argument(
            "--sample_dir",
            default="",
            help="the real sample, with train/ and validate/; default $YT8M_SAMPLE_DIR",
        )

    add("list", "print every recipe, a line each, by table")
    show = add(
        "show", "print a recipe: the paper's numbers and commands, and those of the small variant"
    )
    show.add_argument("name")
    run = add("run", "run a recipe; the same command resumes, and a finished one is not run again")
    run.add_argument("name")
    run.add_argument("--variant", choices=("small", "paper"), default="small")
    run.add_argument(
        "--data",
        default="",
        help="a data set's name, or a folder with train* and validate* records",
    )
    run.add_argument("--seed", type=int, default=None, help="default: the recipe's first")
    run.add_argument(
        "--again", action="store_true", help="delete an earlier run of it, and start over"
    )
    places(run)
    table = add("table", "run what a table lacks, and print it beside the paper's")
    table.add_argument("table", help=", ".join(paper_row.TABLES))
    table.add_argument(
        "--norun",
        action="store_true",
        help="only print: runs in --out_dir, else the committed results",
    )
    places(table)
    everything = add(
        "run-all",
        "run every small variant one after the other, past failures; the same command resumes",
    )
    everything.add_argument("--tables", default="", help="comma list; default all")
    everything.add_argument(
        "--dry", action="store_true", help="only print what would be run, and the expected minutes"
    )
    places(everything)
    record = add("record", "keep the results of finished small variants as part of the project")
    record.add_argument("--out_dir", default=DEFAULT_OUT)
    add("report", "write RESULTS.md from the kept results")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: 0, 1 where a script failed, 2 for a user's mistake, 130 or 143 when stopped."""
    from yt8m.papers.runner import Failed

    a = parser().parse_args(argv)
    try:
        return _DO[a.what](a, paper_row.load_all())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as of `… list | head`, which has all it wanted; a run has not ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        only_prints = (
            a.what in ("list", "show") or getattr(a, "norun", False) or getattr(a, "dry", False)
        )
        return 0 if only_prints else 141
    except OSError as error:
        # Of a place that cannot be written; any other is a fault of ours.
        out_dir = os.path.abspath(getattr(a, "out_dir", results.ROOT))
        if not os.path.abspath(str(error.filename or "")).startswith(out_dir):
            raise
        print(
            f"error: {error.filename}: {error.strerror}; --out_dir names a folder that can be written.",
            file=sys.stderr,
        )
        return 2
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code if error.code in (2, *STOPPED) else 1


def _list(a: argparse.Namespace, recipes: dict[str, PaperRow]) -> int:
    for table in paper_row.tables(recipes):
        print(f"\ntable {table}: {paper_row.TABLES[table]}")
        for r in paper_row.of_table(table, recipes):
            paper = ", ".join(f"{k.upper()} {v:g}" for k, v in r.reported.items()) or "not reported"
            print(
                f"  {r.name:<24} {r.row:<28} paper: {paper:<26} small: {r.small.minutes:g} min on {', '.join(r.small.data)}"
            )
    return 0


def _show(a: argparse.Namespace, recipes: dict[str, PaperRow]) -> int:
    recipe = paper_row.find(a.name, recipes)
    print(f"{recipe.name}: {recipe.row}, {recipe.source}")
    print(
        "paper: "
        + (", ".join(f"{k.upper()} {v:g}" for k, v in recipe.reported.items()) or "not reported")
    )
    for notes in (paper_row.ABOUT.get(recipe.table), recipe.notes):
        if notes:
            print(f"notes: {notes}")
    print(f"\npaper's setting, on {', '.join(recipe.paper.data)}:")
    _print_commands(recipe, recipes, "paper", commands.PAPER_DATA)
    for data in recipe.small.data:
        measured = recipe.small.measured.get(data)
        expected = f"about {recipe.small.minutes:g} min"
        if measured:
            expected = (
                f"{measured['minutes']:g} min, GAP {measured['gap']:.4f}, MAP {measured['map']:.4f}"
            )
        print(
            f"\nsmall, on {data} ({expected}): python -m yt8m.papers run {recipe.name} --data={data}"
        )
        _print_commands(
            recipe, recipes, "small", describe(data, os.path.join(commands.USUAL_PLACE, "data"))
        )
    return 0


def _print_commands(
    recipe: PaperRow, recipes: dict[str, PaperRow], variant: str, data: DataSet
) -> None:
    fuse = recipe.variant(variant).fuse
    if fuse:
        print(f"  fusion of {', '.join(fuse.inputs)} by --method={fuse.method}")
        return
    for command in commands_now(
        recipes, recipe.name, variant, data, recipe.variant(variant).seeds[0]
    ):
        print("  " + command)


def _run(a: argparse.Namespace, recipes: dict[str, PaperRow]) -> int:
    from yt8m.papers.runner import Runner

    recipe = paper_row.find(a.name, recipes)
    seed = recipe.variant(a.variant).seeds[0] if a.seed is None else a.seed
    Runner(recipes, a.out_dir, a.sample_dir).run(a.name, a.variant, a.data, seed, a.again)
    return 0


def _table(a: argparse.Namespace, recipes: dict[str, PaperRow]) -> int:
    rows = paper_row.of_table(a.table, recipes)
    code = 0 if a.norun else _run_each(a, recipes, paper_row.runs_of(rows))
    names = {r.name for r in rows}
    found, others = sort_out(
        (r for r in results.in_folder(a.out_dir) if r["recipe"] in names), recipes
    )
    if others:
        print(
            f"\nleft out, for other settings gave them than the recipes have now (`run NAME --again` runs one anew): {_told(others)}"
        )
    if a.norun:
        own = {(r["recipe"], r["data"]["name"], r["seed"]) for r in found}
        found += [
            r for r in results.committed() if (r["recipe"], r["data"]["name"], r["seed"]) not in own
        ]
    print("\n" + tables.as_text(rows[0].table, rows, found))
    return code


def _run_all(a: argparse.Namespace, recipes: dict[str, PaperRow]) -> int:
    wanted = [t.strip() for t in a.tables.split(",") if t.strip()]
    rows = (
        [recipes[r.name] for t in wanted for r in paper_row.of_table(t, recipes)]
        if wanted
        else list(recipes.values())
    )
    runs = paper_row.runs_of(rows)
    print(
        f"{len(runs)} runs, about {sum(r.small.minutes for r, _, _ in runs):.0f} minutes when none is done"
    )
    if a.dry:
        for recipe, data, seed in runs:
            print(f"  {recipe.name:<24} {data:<20} seed {seed}  {recipe.small.minutes:g} min")
        return 0
    return _run_each(a, recipes, runs)


def _run_each(a: argparse.Namespace, recipes: dict[str, PaperRow], runs: list[tuple]) -> int:
    from yt8m.papers.runner import Failed, Runner

    runner = Runner(recipes, a.out_dir, a.sample_dir)
    failures: list[str] = []
    for i, (recipe, data, seed) in enumerate(runs):
        print(f"[{i + 1}/{len(runs)}] ", end="", flush=True)
        try:
            runner.run(recipe.name, "small", data, seed)
        except (UserError, Failed) as error:
            if isinstance(error, Failed) and error.code in STOPPED:
                raise
            failures.append(f"{recipe.name} on {data}, seed {seed}: {error}")
            print(f"FAILED {failures[-1]}", flush=True)
    print(
        f"\n{len(runs) - len(failures)} of {len(runs)} done"
        + "".join(f"\n  failed: {f}" for f in failures),
        flush=True,
    )
    return 1 if failures else 0


def _told(found: Sequence[results.Result]) -> str:
    return ", ".join(f"{r['recipe']} on {r['data']['name']}, seed {r['seed']}" for r in found)


def _record(a: argparse.Namespace, recipes: dict[str, PaperRow]) -> int:
    found, others = sort_out(results.in_folder(a.out_dir), recipes)
    if others:
        raise UserError(
            f"{a.out_dir} holds results that other settings gave than the recipes have now: {_told(others)}. Nothing was kept;"
            " `run NAME --again` runs one anew, or delete its folder."
        )
    if not found:
        raise UserError(
            f"--out_dir={a.out_dir} holds no finished small run on one of the recipes' data sets; `run NAME` makes one."
        )
    written = results.record(found, recipes)
    print(
        f"kept {len(written)} results of {a.out_dir} in {results.COMMITTED}; `report` writes RESULTS.md from them"
    )
    return 0


def _report(a: argparse.Namespace, recipes: dict[str, PaperRow]) -> int:
    from yt8m.papers.results_page import PATH, report

    text = report(recipes, results.committed())
    with open(PATH + ".tmp", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(PATH + ".tmp", PATH)
    print(f"wrote {PATH}")
    return 0


_DO: dict[str, Callable[[argparse.Namespace, dict[str, PaperRow]], int]] = {
    "list": _list,
    "show": _show,
    "run": _run,
    "table": _table,
    "run-all": _run_all,
    "record": _record,
    "report": _report,
}

if __name__ == "__main__":
    sys.exit(main())
