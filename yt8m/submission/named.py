"""Predictions for people to read: the best classes of each video by name.

It is a second file beside a submission, whose classes are numbers: a CSV for spreadsheets, with a
line for each video and class, or JSON lines, with an object for each video.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence

import numpy as np

from yt8m.files import WholeFile
from yt8m.metrics.top_k import top_k as best_of_rows
from yt8m.runs.classes.names import ClassNames
from yt8m.submission.ids import ID_BYTES, as_texts, refuse_empty
from yt8m.submission.settings import NamesFormat
from yt8m.submission.writer import Position, PredictionWriter

HEADER = ("VideoId", "Rank", "Class", "Name", "Score")
_NAME_BYTES = {"csv": 40, "jsonl": 60}  # of a class with all that belongs to it, about


def named_path(output_file: str, names_format: NamesFormat) -> str:
    """Return where the readable file of a submission is: `moe.named.csv` beside `moe.csv`."""
    return f"{os.path.splitext(output_file)[0]}.named.{names_format}"


class NamedWriter(PredictionWriter):
    """Writes the best classes of each video or segment with their names.

    Args:
      path: local or remote.
      names: those of the K classes.
      top_k: classes of each video.
      names_format: "csv" or "jsonl".
      at: position in the unfinished file of a killed process; None starts from the beginning.

    Raises:
      UserError: the path cannot be written.
      CannotGoOn: there is no such unfinished file.
    """

    def __init__(
        self,
        path: str,
        names: ClassNames,
        top_k: int = 20,
        names_format: NamesFormat = "csv",
        at: Position | None = None,
    ):
        self._names, self._top_k = names, min(top_k, len(names))
        self._format: NamesFormat = names_format
        self._file = WholeFile(
            path,
            "--with_names",
            None if at is None else at["bytes"],
            what="a file of predictions with names",
            heads=[",".join(HEADER).lower() if names_format == "csv" else '{"'],
        )
        if at is None and names_format == "csv":
            self._file.write(",".join(HEADER) + "\n")

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append videos.

        Args:
          ids: [B], str or bytes.
          scores: float [B, K].

        Raises:
          UserError: an id is empty.
        """
        texts = as_texts(ids)
        self.check_ids(texts)
        if not texts:
            return
        best, classes = best_of_rows(scores, min(self._top_k, scores.shape[1]))
        lines = self._csv if self._format == "csv" else self._json
        self._file.write(lines(texts, classes.tolist(), best.tolist()))

    def check_ids(self, texts: Sequence[str]) -> None:
        """Refuse empty ids; both formats quote what is not plain."""
        refuse_empty(texts)

    def _csv(
        self, ids: Sequence[str], classes: Sequence[list[int]], scores: Sequence[list[float]]
    ) -> str:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(
            (video, rank, c, self._names[c], f"{score:.6g}")
            for video, *best in zip(ids, classes, scores)
            for rank, (c, score) in enumerate(zip(*best), 1)
        )
        return out.getvalue()

    def _json(
        self, ids: Sequence[str], classes: Sequence[list[int]], scores: Sequence[list[float]]
    ) -> str:
        videos = (
            {
                "id": video,
                "classes": [
                    {"class": c, "name": self._names[c], "score": float(f"{score:.6g}")}
                    for c, score in zip(*best)
                ],
            }
            for video, *best in zip(ids, classes, scores)
        )
        return "".join(json.dumps(video, ensure_ascii=False) + "\n" for video in videos)

    def position(self) -> Position | None:
        """Return the bytes of the file, once they are on the disk; None if the file is remote."""
        written = self._file.position()
        return None if written is None else {"bytes": written}

    def leave(self) -> None:
        """Close the file without renaming it."""
        self._file.leave()

    def estimated_bytes(self, examples: int) -> int:
        """Return the bytes of as many videos with ids and names of the usual length."""
        of_each = self._top_k * (_NAME_BYTES[self._format] + ID_BYTES * (self._format == "csv"))
        return examples * (of_each + ID_BYTES)

    def close(self) -> None:
        """Finish the file and rename it."""
        self._file.close()

    def abandon(self) -> None:
        """Delete what was written."""
        self._file.abandon()
