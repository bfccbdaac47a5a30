"""`yt8m convert`: make official TFRecords from features in other files."""

from __future__ import annotations

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.command import Command
from yt8m.convert.settings import ConvertSettings
from yt8m.flags import Section


def main(values: FlagValues) -> int:
    """Convert what the flags name."""
    from yt8m.convert.run import convert

    convert(flags.read(ConvertSettings, values))
    return 0


COMMAND = Command(
    about="Make TFRecords in the official format from .npy or .npz files (one for each video), a"
    " table in CSV or Parquet, MediaPipe's .pb files, or other TFRecords such as AudioSet's. The"
    " same command resumes a conversion that was interrupted.",
    usage="FILES --labels=labels.csv --out_dir=DIR",
    sections=(Section(ConvertSettings),),
    main=main,
    positional="input",
)
