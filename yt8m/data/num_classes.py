"""The number of classes of records: that of a vocabulary or of a release, checked by the labels."""

from __future__ import annotations

from collections.abc import Sequence

from yt8m.data import vocabulary as vocabularies
from yt8m.data.findings import Findings
from yt8m.data.releases import RELEASES, recognized
from yt8m.errors import UserError


class UnknownClasses(UserError):
    """Nothing tells how many classes the records have.

    Attributes:
      why: in short, for those who only want to look at the records.
    """

    def __init__(self, message: str, why: str):
        super().__init__(message)
        self.why = why


def number_of_classes(
    found: Findings, files: Sequence[str], vocabulary_file: str, flag: str
) -> tuple[int, str]:
    """Return K and its source.

    A vocabulary that the user names decides. One that is beside the records decides unless the
    records are of a release with fewer classes, because a vocabulary of another data set may be in
    the folder above.

    Args:
      found: contents of the first records.
      files: shards.
      vocabulary_file: path, or "".
      flag: flag that named the shards, for messages.

    Raises:
      UnknownClasses: nothing tells the number, or a label is beyond the vocabulary.
    """
    highest = max((label for labels in found.labels for label in labels), default=-1)
    release = recognized(found)
    path = vocabulary_file or vocabularies.beside(files)
    unfit = ""
    if path:
        rows = vocabularies.read_vocabulary(path).num_classes
        other = release is not None and release[0].num_classes < rows and not vocabulary_file
        if highest < rows and not other:
            return rows, f"the rows of {path}"
        unfit = f"{path} has {rows:,} rows"
        if not other and (vocabulary_file or release is None):
            raise UnknownClasses(
                f"label {highest} occurs in {flag}, but {unfit}, so it is the vocabulary of other"
                " records. Name the right one with --vocabulary_file, or set --num_classes.",
                f"{unfit} and is of other records",
            )
    if release is None:
        raise UnknownClasses(
            f"the number of classes is unknown: the records of {flag} ({found.listed()}; id key"
            f" {found.id_key or 'none'}; {_labels(highest)}) are of no release that is known here,"
            " and there is no vocabulary.csv beside them. Set --num_classes, or name a vocabulary"
            " with --vocabulary_file.",
            "the records are of no known release",
        )
    ignored = f"; {unfit} and is of other records" if unfit else ""
    return release[0].num_classes, f"{release[0].about}, recognized by {release[1]}{ignored}"


def two_vocabularies(found: Findings, flag: str) -> str | None:
    """Return what is wrong with records of several releases, which number their classes unlike.

    The key of the id tells the releases apart (docs/sources.md#releases).

    Args:
      found: contents of the first records.
      flag: flag that named the shards, for messages.
    """
    if len(found.id_keys) < 2:
        return None
    where = " and ".join(f"under {key} ({path})" for key, path in sorted(found.id_keys.items()))
    return (
        f"{flag} mixes records that have their id {where}, as different releases do, and the same"
        " number is another class in each of them."
    )


def of_other_release(found: Findings, num_classes: int, flag: str) -> str | None:
    """Return what is wrong with records of a release other than the one that has K classes.

    Args:
      found: contents of the first records.
      num_classes: K, as the user or a run says.
      flag: flag that named the shards, for messages.
    """
    release = recognized(found)
    others = [each for each in RELEASES.values() if each.num_classes == num_classes]
    if release is None or not others or release[0] in others:
        return None
    return (
        f"{flag} has records of {release[0].about} (recognized by {release[1]}), but"
        f" {num_classes:,} is the number of classes of {others[0].about}, and the same number is"
        " another class in each of them."
    )


def _labels(highest: int) -> str:
    return f"the highest label seen is {highest}" if highest >= 0 else "no label seen"
