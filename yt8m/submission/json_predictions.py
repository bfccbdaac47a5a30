"""Predictions of an exported model as JSON, from TensorFlow Serving or a batch prediction.

The counterpart of the starter code's converter (docs/sources.md#predictions-as-json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError
from yt8m.settings import MOST_CLASSES
from yt8m.submission.ids import IdWatch
from yt8m.submission.kaggle_videos import CsvRow, CsvWriter
from yt8m.text_lines import numbered_lines, parsed_json, shortened

_FLAG = "--input_json_pattern"
_SPACE = re.compile(r"\s*")
_LARGEST = float(np.finfo(np.float32).max)
_KEYS = ("video_id", "class_indexes", "predictions")


def write_csv(pattern: str, path: str, top_k: int = 20) -> int:
    """Write the submission of videos whose predictions are JSON; return their number.

    Args:
      pattern: comma-separated glob patterns of the JSON files.
      path: the CSV, local or remote.
      top_k: maximum number of pairs per line.

    Raises:
      UserError: no file matches, a prediction is broken, or the CSV cannot be written.
    """
    watch, count = IdWatch(), 0
    files = find_shards(pattern, _FLAG)
    with CsvWriter(path, top_k) as out:
        for file in files:
            for row in read_json_predictions(file):
                out.write_best([row.id], row.classes[np.newaxis], row.scores[np.newaxis])
                watch.add([row.id])
                count += 1
        if not count:
            raise UserError(f"{_FLAG}={pattern}: {len(files)} files contain no prediction.")
    for line in watch.warnings():
        print(line)
    return count


def read_json_predictions(path: str) -> Iterator[CsvRow]:
    """Yield the predictions of a file, their classes in descending order of the score.

    The file consists of JSON values, one per line or each over several lines. A value is a
    prediction (`video_id`, `class_indexes` and `predictions`, as in the signature `records`), an
    object whose `prediction` is one (Vertex AI), or an object whose `predictions` is a list of them
    (TensorFlow Serving). The lists may be in one more list, as in the starter code's exports.

    Args:
      path: local or remote.

    Raises:
      UserError: the file cannot be read, or a value has another form (the message gives its line).
    """
    for number, value in _values(path):
        try:
            yield from (_row(found) for found in _predictions(value))
        except ValueError as error:
            text = shortened(json.dumps(value))
            raise UserError(f"{path}, line {number}: {error} in {text}.") from None


def _values(path: str) -> Iterator[tuple[int, Any]]:
    """Yield (number of the first line, value) for each JSON value."""
    lines = numbered_lines(path, "the predictions", says_cut=False)
    for number, line in lines:
        try:
            value = parsed_json(line)
        except ValueError:
            yield from _over_lines(path, [(number, line), *lines])
        else:
            yield number, value


def _over_lines(path: str, lines: list[tuple[int, str]]) -> Iterator[tuple[int, Any]]:
    text, decoder = "\n".join(line for _, line in lines), json.JSONDecoder()
    at = passed = 0
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            number, line = lines[passed]
            raise UserError(
                f"{path}, line {number}: {shortened(line)} is not, and does not begin, a JSON value"
                f" ({error}); the file may be cut off."
            ) from None
        yield lines[passed][0], value
        space = _SPACE.match(text, end)
        after = space.end() if space else end
        passed += text.count("\n", at, after)
        at = after


def _predictions(value: Any) -> list[Any]:
    """Return the predictions in a JSON value."""
    if isinstance(value, dict) and "video_id" not in value:
        for key in ("prediction", "predictions"):
            if key in value:
                inner = value[key]
                return inner if isinstance(inner, list) else [inner]
    return [value]


def _is_nested(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and isinstance(values[0], list)


def _row(found: Any) -> CsvRow:
    """Return a prediction as the content of a line.

    Raises:
      ValueError: what is wrong with it.
    """
    missing = [key for key in _KEYS if not isinstance(found, dict) or key not in found]
    if missing:
        raise ValueError(f"no {', '.join(missing)}")
    video, classes, scores = (found[key] for key in _KEYS)
    if isinstance(video, list):
        video, classes, scores = (
            part[0] if isinstance(part, list) and part else part
            for part in (video, classes, scores)
        )
    elif _is_nested(classes) and _is_nested(scores):
        classes, scores = classes[0], scores[0]
    if not isinstance(video, str):
        raise ValueError("a video_id that is not a text")
    if not isinstance(classes, list) or not isinstance(scores, list):
        raise ValueError("class_indexes or predictions that are not a list")
    if len(classes) != len(scores):
        raise ValueError(f"{len(classes)} class_indexes and {len(scores)} predictions")
    if not all(isinstance(c, int) and 0 <= c < MOST_CLASSES for c in classes) or len(
        {*classes}
    ) < len(classes):
        raise ValueError("class_indexes that are not different whole numbers")
    if not all(isinstance(s, (int, float)) and abs(s) <= _LARGEST for s in scores):
        raise ValueError("predictions that are not finite numbers")
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    return CsvRow(
        video,
        np.array([classes[i] for i in order], np.int64),
        np.array([scores[i] for i in order], np.float64),
    )
