"""`yt8m report`: one page about a run, several runs compared, or a fusion."""

from __future__ import annotations

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.command import Command
from yt8m.flags import Section
from yt8m.report.settings import ReportSettings


def main(values: FlagValues) -> None:
    """Write the page."""
    from yt8m.report.write import write_report

    write_report(flags.read(ReportSettings, values))


COMMAND = Command(
    about="Write one self-contained HTML page about a run, or several runs compared: metrics, "
    "learning curves, classes, calibration, mistakes and confusions.",
    usage="RUN [RUN ...] --out=report.html",
    sections=(Section(ReportSettings),),
    main=main,
    positional="runs",
)
