"""What a prediction will write, compared with the space there is, before it begins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Callable

from yt8m.data.files.count import count_records
from yt8m.data.schema import SEGMENT_FRAMES, RecordSchema
from yt8m.errors import UserError
from yt8m.listing import sizes
from yt8m.submission.writer import PredictionWriter

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def expected_examples(files: list[str], schema: RecordSchema) -> int:
    """Return about how many videos, or windows of segments, the records have."""
    if not schema.segment_labels:
        return count_records(files)[0]
    of_a_frame = schema.feature_size * (4 if schema.float_frames else 1)
    return sum(sizes(files)) // (SEGMENT_FRAMES * of_a_frame)


def in_words(size: int) -> str:
    """Return a number of bytes as `17.1 GB`."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def check_space(
    outputs: Mapping[tuple[str, str], PredictionWriter],
    examples: int,
    done: int = 0,
    say: Callable[[str], None] = print,
) -> None:
    """Say what will be written, and refuse it if the disk has less.

    Args:
      outputs: the writer of each (flag, path).
      examples: number of videos or segments in all.
      done: how many of them are written already.
      say: prints a line.

    Raises:
      UserError: a disk has too little room for what it is to get.
    """
    needed = {
        place: writer.estimated_bytes(max(0, examples - done)) for place, writer in outputs.items()
    }
    say(
        "to write: about "
        + " and ".join(f"{in_words(size)} to {path}" for (_, path), size in needed.items())
    )
    local = {place: size for place, size in needed.items() if "://" not in place[1]}
    folders = {place: _existing(place[1]) for place in local}
    for disk in {os.stat(folder).st_dev for folder in folders.values()}:
        places = [place for place in local if os.stat(folders[place]).st_dev == disk]
        wanted, folder = sum(local[place] for place in places), folders[places[0]]
        free = shutil.disk_usage(folder).free
        if wanted > free:
            raise UserError(
                f"{' and '.join(flag for flag, _ in places)}: about {in_words(wanted)} are to be"
                f" written, but the disk of {folder} has only {in_words(free)} left; make room, or"
                " name another disk (--scores_dtype=float16 and --scores_top_k=N write less)."
            )


def _existing(path: str) -> str:
    """Return the nearest folder above a path that exists."""
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
