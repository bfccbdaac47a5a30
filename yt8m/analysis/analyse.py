"""An analysis from record files to report, numbers and figures, in one story."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from typing import Any, Callable

import tensorflow as tf

from yt8m.analysis import figures
from yt8m.analysis.label_lists import LabelLists, read_label_lists
from yt8m.analysis.page import markdown
from yt8m.analysis.statistics import cooccurrences, describe
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.vocabulary import beside, read_vocabulary
from yt8m.errors import UserError


@dataclasses.dataclass
class AnalysisSettings:
    """What `python -m yt8m.analysis` was asked for; fields are its flags."""

    data_pattern: str
    out_dir: str
    compare_pattern: str = ""
    vocabulary_file: str = ""
    num_classes: int | None = None
    format: str = "png"
    figures: bool = True
    max_bad_records: int = 100


def analyse(settings: AnalysisSettings, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Read the labels, write `report.md`, `analysis.json`, `fig1_positives.*` and `fig2_cooccurrence.*`; return the numbers.

    Source: UTS Figs. 1 and 2 (spec C.17).

    Raises:
      UserError: matplotlib is missing, nothing matches, records have no labels, or the folder cannot be written.
    """
    s = settings
    if s.figures:
        figures.require_matplotlib()
    if not s.out_dir:
        raise UserError(
            "--out_dir is missing; name a folder for the report, the numbers and the figures."
        )
    patterns = {"--data_pattern": s.data_pattern, "--compare_pattern": s.compare_pattern}
    files = {
        flag: find_shards(p, flag) for flag, p in patterns.items() if p or flag == "--data_pattern"
    }
    write_whole(s.out_dir, "report.md", b"")  # an unwritable place is told before any work
    schema, line = find_schema(
        files["--data_pattern"],
        num_classes=s.num_classes,
        vocabulary_file=s.vocabulary_file,
        flag="--data_pattern",
    )
    say(line)
    path = s.vocabulary_file or beside(files["--data_pattern"])
    names = read_vocabulary(path).names if path else None
    lists: list[LabelLists] = []
    for flag, shards in files.items():
        level = find_schema(shards, num_classes=schema.num_classes, flag=flag)[0].level
        bad = BadRecords(s.max_bad_records)
        lists.append(read_label_lists(shards, level, schema.num_classes, flag, bad, say))
        if bad.summary():
            say(bad.summary())
    titles = _titles([patterns[flag] for flag in files])
    sets = [
        {"title": t, "pattern": patterns[f], **describe(x)} for t, f, x in zip(titles, files, lists)
    ]
    together = cooccurrences(lists)
    found = {"sets": sets, "cooccurrence": together}
    drawn: dict[str, bytes] = {}
    if s.figures:
        drawn[f"fig1_positives.{s.format}"] = figures.positives_figure(sets, names, s.format)
        drawn[f"fig2_cooccurrence.{s.format}"] = figures.cooccurrence_figure(
            together, titles, names, s.format
        )
    named = (
        {}
        if names is None
        else {"names": {c: names[c] for c in together["classes"] if c < len(names)}}
    )
    numbers = (
        json.dumps(
            _json({"vocabulary": path or "", **found, **named}),
            allow_nan=False,
            separators=(",", ":"),
        )
        + "\n"
    )
    text = markdown(sets, together, names, list(drawn))
    for name, content in {
        **drawn,
        "analysis.json": numbers.encode(),
        "report.md": text.encode(),
    }.items():
        write_whole(s.out_dir, name, content)
    say(
        f"{sum(x.num_videos for x in lists):,} videos; wrote {', '.join([*drawn, 'analysis.json', 'report.md'])} to {s.out_dir}"
    )
    return found


def _json(value: Any) -> Any:
    """Return values with null for nan, which JSON does not have: a correlation where one side does not vary."""
    if isinstance(value, dict):
        return {k: _json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_json(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _titles(patterns: list[str]) -> list[str]:
    """Return a short name for each set: the split that its pattern names, else first and second set."""
    splits = ("train", "validate", "test")
    places = [(os.path.basename(p), os.path.basename(os.path.dirname(p))) for p in patterns]
    # Not within a word: "latest" is no test split.
    found = [
        next(
            (split for place in two for split in splits if re.search(rf"(?<![a-z]){split}", place)),
            "",
        )
        for two in places
    ]
    distinct = all(found) and len(set(found)) == len(found)
    return (
        found
        if distinct
        else ["the data set"]
        if len(patterns) == 1
        else ["first set", "second set"]
    )


def write_whole(folder: str, name: str, content: bytes) -> None:
    """Write a file under a temporary name and rename it; empty content only sees that it can be done.

    Raises:
      UserError: it cannot.
    """
    path = os.path.join(folder, name)
    try:
        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(path + ".tmp", "wb") as f:
            f.write(content)
        if content:
            tf.io.gfile.rename(path + ".tmp", path, overwrite=True)
        else:
            tf.io.gfile.remove(path + ".tmp")
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"--out_dir={folder} cannot be written ({getattr(error, 'message', error)}); name a folder that can."
        )
