"""CSVs and lists: labels, vocabularies, submissions, predictions, classes, tables to convert."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.bytes_of import CELLS, any_damage, encoded
from benchmarks.fuzz.case import Target

_SEPARATORS = [",", ";", "\t", " ", ":", "|", ", "]
_ENDS = ["\n", "\r\n", "\r", "\n\n", "\x0b", "\u2028"]


@st.composite
def table(draw: Any, text: str) -> bytes:
    """Return a text with other cells, rows, separators, line ends and encoding."""
    rows = [line.replace(" ", ",").split(",") for line in text.splitlines()]
    original = [line for line in text.splitlines()]
    for _ in range(draw(st.integers(1, 4))):
        row = draw(st.integers(0, len(rows) - 1))
        what = draw(st.sampled_from(["cell", "cell", "cell", "drop", "again", "wider", "narrower"]))
        cell = draw(st.sampled_from(CELLS) | st.text(max_size=6))
        cells = rows[row] or [""]
        if what == "cell":
            cells[draw(st.integers(0, len(cells) - 1))] = cell
        elif what == "wider":
            cells.append(cell)
        elif what == "narrower":
            cells.pop()
        elif what == "again":
            rows.insert(row, list(cells))
        elif len(rows) > 1:
            del rows[row]
    separator = draw(st.sampled_from([","] * 6 + _SEPARATORS))
    blank = " " in original[-1]
    lines = [
        separator.join(cells[:2]) + "".join((" " if blank else separator) + c for c in cells[2:])
        for cells in rows
    ]
    end = draw(st.sampled_from(["\n"] * 6 + _ENDS))
    return draw(encoded(end.join(lines) + draw(st.sampled_from([end, ""]))))


def of(folder: str, *names: str) -> Any:
    """Return a strategy that changes one of some text files."""

    def changed(name: str) -> Any:
        with open(os.path.join(folder, name), "rb") as source:
            content = source.read()
        other = table(content.decode()).map(lambda made: {name: made})
        damage = any_damage(content).map(lambda made: {name: made})
        return st.integers(0, 4).flatmap(lambda n: damage if n == 0 else other)

    return st.sampled_from(names).flatmap(changed)


def _all(read: Callable[[str], Any], name: str) -> Callable[[str], object]:
    """Return what reads the file `name` of a case's folder, to its end."""

    def function(folder: str) -> object:
        found = read(os.path.join(folder, name))
        return list(found) if isinstance(found, Iterator) else found

    return function


def targets(folder: str) -> list[Target]:
    """Return the targets.

    Args:
      folder: the valid inputs.
    """
    from yt8m.convert.labels import read_labels
    from yt8m.data.label_rows import label_rows
    from yt8m.data.vocabulary import read_vocabulary
    from yt8m.evaluation.segment_csv import score_segment_csv
    from yt8m.submission.ground_truth import read_ground_truth
    from yt8m.submission.json_predictions import read_json_predictions
    from yt8m.submission.kaggle_segments import read_segment_csv, read_whitelist
    from yt8m.submission.kaggle_videos import read_csv

    def scored(place: str) -> object:
        return score_segment_csv(
            os.path.join(place, "segments.csv"), "", 0, os.path.join(place, "ratings.csv")
        )

    def function(name: str, read: Callable[[str], Any], file: str) -> Target:
        changes = of(folder, file)
        return Target(name, "texts", (file,), changes, None, _all(read, file), 4)

    def command(name: str, files: tuple[str, ...], needs: tuple[str, ...], *line: str) -> Target:
        return Target(name, "texts", needs, of(folder, *files), st.just(line))

    fuse = ("fuse", "--inputs={in}/fuse.csv,{in}/other.csv", "--output_file={in}/out.csv")
    convert = ("convert", "--out_dir={in}/out", "--validate_fraction=0")
    return [
        function("label rows", label_rows, "labels.csv"),
        function("labels to convert", read_labels, "labels.csv"),
        function("ground truth", read_ground_truth, "labels.csv"),
        function("vocabulary", read_vocabulary, "classes.csv"),
        function("submission", read_csv, "fuse.csv"),
        function("segment submission", read_segment_csv, "segments.csv"),
        function("whitelist", read_whitelist, "whitelist.csv"),
        function("JSON predictions", read_json_predictions, "predictions.json"),
        Target(
            "score-segments",
            "texts",
            ("segments.csv", "ratings.csv"),
            of(folder, "segments.csv", "ratings.csv"),
            function=scored,
        ),
        command("fuse CSVs", ("fuse.csv",), ("fuse.csv", "other.csv"), *fuse),
        command(
            "fuse with labels",
            ("truth.csv", "fuse.csv"),
            ("truth.csv", "fuse.csv", "other.csv"),
            *fuse,
            "--labels={in}/truth.csv",
        ),
        command(
            "convert a table",
            ("table.csv", "classes.csv"),
            ("table.csv", "classes.csv"),
            *convert,
            "--input={in}/table.csv",
            "--vocabulary_file={in}/classes.csv",
        ),
        command(
            "convert with labels",
            ("labels.csv",),
            ("labels.csv", "npz"),
            *convert,
            "--input={in}/npz",
            "--labels={in}/labels.csv",
        ),
    ]
