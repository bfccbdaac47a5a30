"""Class names and counts from a vocabulary file, as the 2018 release ships one."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError

FILE = "vocabulary.csv"
_HEADER = "Index,TrainVideoCount,KnowledgeGraphId,Name,WikiUrl,Vertical1,Vertical2,Vertical3,WikiDescription"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Classes by index: names, and how many training videos carry each (None where the file does not say)."""

    names: tuple[str, ...]
    counts: np.ndarray | None = None

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.names)


def read_vocabulary(path: str, flag: str = "--vocabulary_file") -> Vocabulary:
    """Read a `vocabulary.csv` (columns Index, Name and, if there, TrainVideoCount), or lines `index,name`.

    Raises:
      UserError: no such file, or it is something else.
    """
    try:
        with tf.io.gfile.GFile(path) as f:
            rows = list(csv.reader(io.StringIO(f.read())))
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise UserError(f"{flag}={path} cannot be read ({getattr(error, 'message', error)}).")
    header = [c.strip().lower() for c in rows[0]] if rows else []
    columns = {
        name: header.index(name)
        for name in ("index", "name", "trainvideocount", "label_name", "label_id")
        if name in header
    }
    index_at = columns.get("index", columns.get("label_id", 0))
    name_at = columns.get("name", columns.get("label_name", 1))
    body = rows[1:] if columns else rows
    try:
        entries = {int(r[index_at]): r for r in body if r}
        names = tuple(
            entries[i][name_at] if i in entries else f"class {i}" for i in range(max(entries) + 1)
        )
        counts = None
        if "trainvideocount" in columns:
            counts = np.array(
                [
                    float(entries[i][columns["trainvideocount"]]) if i in entries else 0
                    for i in range(len(names))
                ]
            )
    except (ValueError, IndexError) as error:
        raise UserError(
            f"{flag}={path} is not a vocabulary ({error}); its first line should be {_HEADER}."
        )
    return Vocabulary(names, counts)


def write_vocabulary(path: str, names: Sequence[str], counts: Sequence[int]) -> None:
    """Write a vocabulary in the form of the 2018 release."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEADER.split(","))
    for i, (name, count) in enumerate(zip(names, counts)):
        writer.writerow([i, int(count), "", name, "", "(Unknown)", "", "", ""])
    with tf.io.gfile.GFile(path, "w") as f:
        f.write(out.getvalue())


def beside(files: list[str]) -> str | None:
    """Return the `vocabulary.csv` in the shards' folder or the one above, or None."""
    folder = os.path.dirname(files[0])
    for place in (folder, os.path.dirname(folder)):
        path = os.path.join(place, FILE)
        if tf.io.gfile.exists(path):
            return path
    return None
