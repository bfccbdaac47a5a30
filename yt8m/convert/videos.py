"""The videos to convert: their places in the input, their ids and the numbers of their classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from yt8m.convert.labels import Classes, made_from, read_labels
from yt8m.convert.settings import ConvertSettings
from yt8m.convert.source import Item, Source
from yt8m.data import vocabulary
from yt8m.data.findings import examine
from yt8m.data.releases import recognized
from yt8m.errors import UserError


class Video(NamedTuple):
    """One video.

    Attributes:
      place: its place among the items of the source.
      id: its id.
      labels: numbers of its classes, or None if nothing says them.
    """

    place: int
    id: str
    labels: list[int] | None


class Videos(NamedTuple):
    """The videos to convert, in the order of the input.

    Attributes:
      all: the videos.
      class_names: names of the classes; empty if no video has a label.
    """

    all: list[Video]
    class_names: list[str]


def list_videos(
    source: Source, files: Sequence[str], settings: ConvertSettings, say: Callable[[str], None]
) -> Videos:
    """Return the videos of a source, with the labels of --labels if there are any.

    Args:
      source: the input.
      files: its files, beside which a vocabulary may be.
      settings: what to convert, and into what.
      say: prints a line.

    Raises:
      UserError: an id occurs twice, no video has a row in --labels, or a label is not a class.
    """
    items = _unique(source)
    if settings.labels:
        items = _with_labels(items, settings.labels, say)
    items = _writable(items, say)
    classes = _classes([item for _, item in items], source, files, settings)
    if classes is None:
        say("no video has labels, so the records get none: only inference can use them")
        return Videos([Video(place, item.id, None) for place, item in items], [])
    numbered = [Video(place, item.id, _numbers(item, classes)) for place, item in items]
    without = sum(not video.labels for video in numbered)
    if without:
        say(
            f"{without:,} videos have no label: training and the metrics take them for videos of"
            " none of the classes. Remove them if their classes are not known"
        )
    return Videos(numbered, classes.names)


def _unique(source: Source) -> list[tuple[int, Item]]:
    seen: set[str] = set()
    found = []
    for place, item in enumerate(source.items()):
        if item.id in seen:
            raise UserError(
                f"--input: the id {item.id!r} occurs twice; each video needs an id of its own (in a"
                " table, the rows of a video follow one another and --frame_column numbers them)."
            )
        seen.add(item.id)
        found.append((place, item))
    return found


def _with_labels(
    items: Sequence[tuple[int, Item]], path: str, say: Callable[[str], None]
) -> list[tuple[int, Item]]:
    """Return the videos that have a row in a CSV of labels, with these labels."""
    given = read_labels(path)
    found = [(p, Item(item.id, given[item.id])) for p, item in items if item.id in given]
    if not found:
        here, there = items[0][1].id if items else "none", next(iter(given), "none")
        raise UserError(
            f"--labels={path} has no id of the input, whose ids are like {here!r}; those of the"
            f" labels are like {there!r}."
        )
    without, unused = len(items) - len(found), len(given) - len(found)
    if without or unused:
        say(
            f"--labels: {without:,} videos have no row there and are left out; {unused:,} ids there"
            " have no video"
        )
    return found


def _writable(items: list[tuple[int, Item]], say: Callable[[str], None]) -> list[tuple[int, Item]]:
    """Return the videos with ids that any line of a submission can have: without , and spaces.

    Raises:
      UserError: this makes two ids the same.
    """
    ids = [re.sub(r"[\s,]+", "_", item.id) for _, item in items]
    changed = [(item.id, name) for (_, item), name in zip(items, ids) if item.id != name]
    if not changed:
        return items
    old, new = changed[0]
    if len(set(ids)) < len(ids):
        raise UserError(
            f"--input: ids such as {old!r} contain commas or white space, which not every"
            " submission allows, and with _ instead of them two ids are the same; rename the"
            " videos."
        )
    say(
        f"{len(changed):,} ids contain commas or white space, which not every submission allows;"
        f" they get _ instead, such as {new} for {old!r}"
    )
    return [(place, Item(name, item.labels)) for (place, item), name in zip(items, ids)]


def _classes(
    items: Sequence[Item], source: Source, files: Sequence[str], settings: ConvertSettings
) -> Classes | None:
    """Return the classes, or None if no video has labels."""
    labels = [item.labels or () for item in items]
    if settings.vocabulary_file:
        path = settings.vocabulary_file
        return Classes(vocabulary.read_vocabulary(path).names, path)
    if not any(labels):
        return None
    if source.class_names and not settings.labels:
        return Classes(source.class_names, "the input")
    made = made_from(labels, _classes_of_release(files))
    beside = vocabulary.beside(files) if made.are_numbers else None
    if beside:
        known = vocabulary.read_vocabulary(beside)
        if known.num_classes >= len(made.names):
            return Classes(known.names, beside)
    return made


def _classes_of_release(files: Sequence[str]) -> int:
    """Return the number of classes of the release that TFRecords are of, or 0.

    The labels of a few records do not show it: the last classes are rare.
    """
    if not files[0].endswith((".tfrecord", ".tfrecords")):
        return 0
    release = recognized(examine(files, "--input"))
    return release[0].num_classes if release else 0


def _numbers(item: Item, classes: Classes) -> list[int] | None:
    if item.labels is None:
        return None
    return sorted({classes.number(label, item.id) for label in item.labels})
