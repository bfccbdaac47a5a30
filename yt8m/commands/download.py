"""`yt8m download`: get a share of the published data set."""

from __future__ import annotations

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.command import Command
from yt8m.download.settings import DownloadSettings
from yt8m.flags import Section


def main(values: FlagValues) -> int:
    """Download what the flags name."""
    from yt8m.download.run import download

    return download(flags.read(DownloadSettings, values))


COMMAND = Command(
    about="Download a share of YouTube-8M. The same command resumes a download that was "
    "interrupted.",
    usage="--split=train --level=video --share=1/100 --out_dir=DIR",
    sections=(Section(DownloadSettings),),
    main=main,
)
