"""`yt8m accelerators`: the programs of every model, without an accelerator and on any."""

from __future__ import annotations

from absl.flags import FlagValues

from yt8m import flags
from yt8m.accelerators.settings import ExportSettings
from yt8m.commands.command import Command
from yt8m.errors import UserError, near_misses
from yt8m.flags import Section


def export(values: FlagValues) -> None:
    """Write the programs and what runs them."""
    from yt8m.accelerators.export_models import export_models

    export_models(flags.read(ExportSettings, values))


ACTIONS = {
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
    action = ACTIONS[name]
    values = flags.define(action.sections)
    flags.parse(values, rest)
    return action.main(values)


def _help(name: str) -> str:
    action = ACTIONS[name]
    usage = f"yt8m accelerators {name} {action.usage}"
    return flags.help_text(usage, action.about, action.sections).rstrip()
