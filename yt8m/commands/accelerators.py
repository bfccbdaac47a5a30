"""`yt8m accelerators`: the programs of every model, without an accelerator and on any."""

from __future__ import annotations

from absl.flags import FlagValues

from yt8m import flags
from yt8m.accelerators.settings import CompileSettings, ExportSettings, TableSettings
from yt8m.commands.command import Command
from yt8m.errors import UserError, near_misses
from yt8m.flags import Section


def export(values: FlagValues) -> None:
    """Write the programs and what runs them."""
    from yt8m.accelerators.export_models import export_models

    export_models(flags.read(ExportSettings, values))


def compile_programs(values: FlagValues) -> None:
    """Compile programs for a TPU that need not be there, and keep the results."""
    from yt8m.accelerators.compilation.chosen import requests_of
    from yt8m.accelerators.compilation.compile_all import compile_all
    from yt8m.accelerators.compilation.results import COMMITTED, Results
    from yt8m.accelerators.lower import import_jax

    settings = flags.read(CompileSettings, values)
    import_jax()
    results = Results(settings.results or COMMITTED)
    compile_all(requests_of(settings), results, settings.minutes, lambda s: print(s, flush=True))
    print(f"the results are in {results.path}")


def table(values: FlagValues) -> None:
    """Write the tables of the page, and name the rows that are older than their source."""
    from yt8m.accelerators.compilation.page import PAGE, write_page
    from yt8m.accelerators.compilation.request import request_of
    from yt8m.accelerators.compilation.results import COMMITTED, Results

    settings = flags.read(TableSettings, values)
    results, page = Results(settings.results or COMMITTED), settings.page or PAGE
    write_page(page, results.rows())
    stale = results.stale()
    for row in stale:
        print(f"older than its source: {request_of(row)}")
    print(f"wrote {len(results.rows())} rows to {page}; {len(stale)} are older than their source")


ACTIONS = {
    "compile": Command(
        about="Compile the training, evaluation and prediction steps with the TPU's own compiler,"
        " which needs no TPU, and keep their memory, operations and bytes.",
        usage="--model=NAME | --all [--topology=v5e:2x2]",
        sections=(Section(CompileSettings),),
        main=compile_programs,
    ),
    "table": Command(
        about="Write the compiled programs to docs/accelerators.md, and name those that are older"
        " than their source.",
        usage="[--results=FILE --page=FILE]",
        sections=(Section(TableSettings),),
        main=table,
    ),
    "export": Command(
        about="Write the training, evaluation and prediction steps as StableHLO, with a script that"
        " runs and measures them on any machine with jax.",
        usage="--out_dir=DIR [--model=NAME]",
        sections=(Section(ExportSettings),),
        main=export,
    ),
}


def main(arguments: list[str]) -> int | None:
    """Run the action that the first argument names.

    Raises:
      UserError: there is no such action.
    """
    name, *rest = arguments or ["--help"]
    if name in ("--help", "-h", "help"):
        print("\n\n".join(_help(action) for action in ACTIONS))
        return 0
    if name not in ACTIONS:
        raise UserError(
            f"{name!r} is not an action of yt8m accelerators.{near_misses(name, ACTIONS)}"
            f" The actions are {', '.join(ACTIONS)}."
        )
    if flags.asks_for_help(rest):
        print(_help(name))
        return 0
    return ACTIONS[name].run(rest)


def _help(name: str) -> str:
    return ACTIONS[name].help_text(f"yt8m accelerators {name}").rstrip()
