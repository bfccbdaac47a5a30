"""`yt8m analyse`: figures and numbers about the labels of a data set."""

from __future__ import annotations

from absl.flags import FlagValues

from yt8m import flags, listing
from yt8m.analysis.settings import AnalysisSettings
from yt8m.commands.command import Command
from yt8m.flags import Section


def main(values: FlagValues) -> None:
    """Read the labels and write the report."""
    from yt8m.analysis.analyse import analyse

    with listing.asked_once():
        analyse(flags.read(AnalysisSettings, values))


COMMAND = Command(
    about="Describe the labels of a data set: a report, its numbers, and the two figures of the "
    "UTS paper.",
    usage="--data_pattern=GLOBS --out_dir=DIR",
    sections=(Section(AnalysisSettings),),
    main=main,
)
