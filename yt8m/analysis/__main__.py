"""Figures and numbers of a data set's labels: `python -m yt8m.analysis --data_pattern='train*.tfrecord' --out_dir=DIR`."""

from __future__ import annotations

import yt8m.quiet  # noqa: F401

from absl import flags

from yt8m import cli
from yt8m.analysis.analyse import analyse
from yt8m.analysis.settings import AnalysisSettings

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "data_pattern",
    "",
    "comma list of globs of labelled records, video- or frame-level; only labels are read",
)
flags.DEFINE_string(
    "compare_pattern", "", "a second set, e.g. the validate split, drawn beside the first"
)
flags.DEFINE_string(
    "vocabulary_file", "", "vocabulary.csv, for class names; by default the one beside the records"
)
flags.DEFINE_integer(
    "num_classes", None, "K; by default the rows of the vocabulary, else the release's", 1
)
flags.DEFINE_string("out_dir", "", "gets report.md, analysis.json and the figures")
flags.DEFINE_enum("format", "png", ["png", "svg"], "of the figures")
flags.DEFINE_bool(
    "figures", True, "draw the figures, which needs matplotlib; --nofigures writes the rest"
)
flags.DEFINE_integer("max_bad_records", 100, "broken records to skip before giving up", 0)


def main() -> None:
    """Turn flags into settings, and analyse."""
    names = (
        "data_pattern",
        "compare_pattern",
        "vocabulary_file",
        "num_classes",
        "out_dir",
        "format",
        "figures",
        "max_bad_records",
    )
    analyse(AnalysisSettings(**{name: FLAGS[name].value for name in names}))


if __name__ == "__main__":
    cli.run(main)
