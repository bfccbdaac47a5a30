"""An analysis of labels, from record files to a report, numbers and figures."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m.analysis import figures
from yt8m.analysis.label_lists import LabelLists, read_label_lists
from yt8m.analysis.page import TITLE, markdown
from yt8m.analysis.settings import AnalysisSettings
from yt8m.analysis.statistics import cooccurrences, describe
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.vocabulary import beside, read_vocabulary
from yt8m.errors import UserError
from yt8m.files import WholeFile, write_bytes

Say = Callable[[str], None]


def analyse(settings: AnalysisSettings, say: Say = print) -> dict[str, Any]:
    """Read the labels, write the report, the numbers and the figures, and return the numbers.

    The files are `report.md`, `analysis.json`, `fig1_positives.*` and `fig2_cooccurrence.*`.

    Source: UTS Figs. 1 and 2 (docs/sources.md#label-figures).

    Raises:
      UserError: matplotlib is missing, a pattern matches no file, the records have no labels, or
        the folder cannot be written.
    """
    if settings.figures:
        figures.require_matplotlib()
    if not settings.out_dir:
        raise UserError(
            "--out_dir is missing; name a folder for the report, the numbers and the figures."
        )
    patterns = {"--data_pattern": settings.data_pattern}
    if settings.compare_pattern:
        patterns["--compare_pattern"] = settings.compare_pattern
    files = {flag: find_shards(pattern, flag) for flag, pattern in patterns.items()}
    # The report is opened first, so that an unwritable folder is reported before any work.
    path, heads = os.path.join(settings.out_dir, "report.md"), [TITLE.lower()]
    with WholeFile(path, "--out_dir", what="a report of analyse", heads=heads) as report:
        lists, vocabulary = _read(settings, files, say)
        names = read_vocabulary(vocabulary).names if vocabulary else None
        titles = _titles(list(patterns.values()))
        sets = [
            {"title": title, "pattern": pattern, **describe(labels)}
            for title, pattern, labels in zip(titles, patterns.values(), lists)
        ]
        together = cooccurrences(lists)
        found: dict[str, Any] = {"sets": sets, "cooccurrence": together}
        images = _draw(settings, found, titles, names) if settings.figures else {}
        numbers = _numbers({"vocabulary": vocabulary or "", **found}, names)
        _write(settings.out_dir, {**images, "analysis.json": numbers.encode()})
        report.write(markdown(sets, together, names, list(images)))
    videos = sum(labels.num_videos for labels in lists)
    written = ", ".join([*images, "analysis.json", "report.md"])
    say(f"analysed {videos:,} videos; wrote {written} to {settings.out_dir}")
    return found


def _read(
    settings: AnalysisSettings, files: dict[str, list[str]], say: Say
) -> tuple[list[LabelLists], str | None]:
    """Return the labels of each set of files, and the path of the vocabulary if there is one."""
    first = files["--data_pattern"]
    schema, description = find_schema(
        first,
        num_classes=settings.num_classes,
        vocabulary_file=settings.vocabulary_file,
        flag="--data_pattern",
        labelled=True,
    )
    say(description)
    lists = []
    for flag, shards in files.items():
        level = find_schema(shards, num_classes=schema.num_classes, flag=flag, labelled=True)[
            0
        ].level
        bad = BadRecords(settings.max_bad_records)
        lists.append(read_label_lists(shards, level, schema.num_classes, flag, bad, say))
        if bad.summary():
            say(bad.summary())
    return lists, settings.vocabulary_file or beside(first, schema.num_classes)


def _draw(
    settings: AnalysisSettings,
    found: dict[str, Any],
    titles: Sequence[str],
    names: Sequence[str] | None,
) -> dict[str, bytes]:
    """Return the content of each figure by file name."""
    kind = settings.format
    first = figures.positives_figure(found["sets"], names, kind)
    second = figures.cooccurrence_figure(found["cooccurrence"], titles, names, kind)
    return {f"fig1_positives.{kind}": first, f"fig2_cooccurrence.{kind}": second}


def _numbers(values: dict[str, Any], names: Sequence[str] | None) -> str:
    """Return the values as JSON, with the names of the classes in the co-occurrence matrix."""
    if names is not None:
        classes = [c for c in values["cooccurrence"]["classes"] if c < len(names)]
        values = {**values, "names": {c: names[c] for c in classes}}
    return json.dumps(_without_nan(values), allow_nan=False, separators=(",", ":")) + "\n"


def _without_nan(value: Any) -> Any:
    """Return values with null in place of NaN (correlation with a constant), which JSON lacks."""
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _titles(patterns: list[str]) -> list[str]:
    """Return a short name for each set: its split, or else "first set", "second set"."""
    found = [_split(pattern) for pattern in patterns]
    if all(found) and len(set(found)) == len(found):
        return found
    return ["the data set"] if len(patterns) == 1 else ["first set", "second set"]


def _split(pattern: str) -> str:
    """Return "train", "validate" or "test" if the file name or the folder contains it, else ""."""
    for place in (os.path.basename(pattern), os.path.basename(os.path.dirname(pattern))):
        for split in ("train", "validate", "test"):
            # The lookbehind rejects the "test" in "latest".
            if re.search(rf"(?<![a-z]){split}", place):
                return split
    return ""


def _write(folder: str, contents: dict[str, bytes]) -> None:
    """Write files under temporary names and rename them.

    Raises:
      UserError: a file cannot be written.
    """
    try:
        for name, content in contents.items():
            write_bytes(os.path.join(folder, name), content)
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"cannot write to --out_dir={folder} ({getattr(error, 'message', error)}); name a"
            " writable folder."
        ) from None
