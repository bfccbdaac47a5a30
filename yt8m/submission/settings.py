"""Settings of segments and of names that evaluation, inference and fusion share."""

from __future__ import annotations

import dataclasses
from typing import Literal

from yt8m.errors import UserError
from yt8m.settings import setting

SEGMENTS = "Five-second segments"
NAMES = "Names of classes"
NamesFormat = Literal["csv", "jsonl"]


@dataclasses.dataclass(frozen=True)
class SegmentSettings:
    """How five-second segments are ranked. Each field is the flag of the same name."""

    segment_max_pred: int = setting(
        0,
        help="maximum number of segments per class; 0: 100,000, as in the challenge",
        at_least=0,
        group=SEGMENTS,
    )
    segment_label_ids_file: str = setting(
        "",
        help="segment_label_ids.csv with the classes to rank, a path or an http address; "
        "empty: all classes",
        group=SEGMENTS,
    )


@dataclasses.dataclass(frozen=True)
class VocabularySettings:
    """Where the names of the classes are. Each field is the flag of the same name."""

    vocabulary_file: str = setting(
        "",
        help="vocabulary.csv with the names of the classes; by default the run's own, or the one"
        " beside the records",
        group=NAMES,
    )


@dataclasses.dataclass(frozen=True)
class NamesSettings(VocabularySettings):
    """A readable file beside the submission. Each field is the flag of the same name."""

    with_names: bool = setting(
        False,
        help="also write the best classes of each video with their names, for people to read:"
        " OUTPUT.named.csv beside --output_file=OUTPUT.csv",
        common=True,
    )
    names_format: NamesFormat = setting(
        "csv",
        help="format of the file of --with_names: csv, a line for each video and class; jsonl, a"
        " JSON object for each video",
        choices=NamesFormat,
        group=NAMES,
    )


def refuse_names(settings: NamesSettings, output_file: str, names_are_known: bool = True) -> None:
    """Refuse names of classes that cannot be written.

    Raises:
      UserError: a flag has no effect, or nothing names the classes.
    """
    if settings.names_format != "csv" and not settings.with_names:
        raise UserError("--names_format: nothing is written with names; add --with_names.")
    if settings.with_names and not output_file:
        raise UserError(
            "--with_names writes a readable file beside --output_file; add --output_file."
        )
    if settings.with_names and not names_are_known:
        raise UserError(
            "--with_names: no vocabulary was found, neither in the inputs nor beside the records;"
            " name one with --vocabulary_file (`yt8m download --vocabulary` fetches the one of"
            " 2018)."
        )
