"""The Kaggle submission of 2019: one line a class, its five-second segments from the surest down."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Sequence

import numpy as np

from yt8m.errors import UserError
from yt8m.files import WholeFile
from yt8m.metrics.segment_ranking import MAX_PER_CLASS, SegmentRanking
from yt8m.submission.ids import decode_ids, refuse_empty

HEADER = "Class,Segments"


def read_whitelist(path: str) -> np.ndarray | None:
    """Return the class indices of a `segment_label_ids.csv`, int64; None (all classes) for an empty path.

    Lines that are not integers, such as the header, are skipped.

    Args:
      path: local, remote (gs://), or an address (http:// or https://), which is downloaded.

    Raises:
      UserError: no such file, or no integer in it.
    """
    if not path:
        return None
    import tensorflow as tf

    try:
        if path.startswith(("http://", "https://")):
            with urllib.request.urlopen(path, timeout=60) as page:
                text = page.read().decode("utf-8", "replace")
        else:
            with tf.io.gfile.GFile(path, "r") as source:
                text = source.read()
    except (tf.errors.OpError, OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read --segment_label_ids_file={path!r}: {getattr(error, 'message', error)}."
        ) from None
    classes = [int(line) for line in map(str.strip, text.splitlines()) if line.isdigit()]
    if not classes:
        raise UserError(
            f"--segment_label_ids_file={path!r} holds no class index; expected one integer a line."
        )
    return np.array(list(dict.fromkeys(classes)), np.int64)


class SegmentCsvWriter:
    """Writes the best segments of each class to `path` when it is closed; whole or not at all.

    Args:
      path: local or remote.
      whitelist, top_k, max_per_class: see `SegmentRanking`.

    Raises:
      UserError: unwritable path.
    """

    def __init__(
        self,
        path: str,
        whitelist: Sequence[int] | None = None,
        top_k: int = 20,
        max_per_class: int = MAX_PER_CLASS,
    ):
        self._ranking = SegmentRanking(whitelist, top_k, max_per_class)
        self._file = WholeFile(path, "--output_file")

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append segments: ids `<video>:<start>` [S] (str or bytes), scores float [S, K]; see `SegmentRanking.add`.

        Raises:
          UserError: an id that no line can carry.
        """
        texts = decode_ids(ids)
        refuse_empty(texts)
        self._ranking.add(texts, scores)

    def close(self) -> None:
        """Rank, write one line a class in the order of the classes, and give the file its name."""
        self._file.write(HEADER + "\n")
        for label, segments in self._ranking.lists():
            self._file.write(f"{label},{' '.join(segments)}\n")
        self._file.close()

    def abandon(self) -> None:
        """Delete what was written."""
        self._file.abandon()

    def __enter__(self) -> SegmentCsvWriter:
        return self

    def __exit__(self, kind, error, trace) -> None:  # type: ignore[no-untyped-def]
        self.abandon() if kind else self.close()


def read_segment_csv(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (class, [`<video>:<start>`, ...]) of each line, surest first; the header may be absent.

    Raises:
      UserError: no such file, or a bad line (with its number).
    """
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "r") as source:
            for number, line in enumerate(source, 1):
                line = line.strip()
                head, comma, tail = line.partition(",")
                if not line or (number == 1 and head.lower().startswith("class")):
                    continue
                segments = tail.split()
                if (
                    not comma
                    or not head.isdigit()
                    or not all(s.rpartition(":")[2].isdigit() for s in segments)
                ):
                    raise UserError(
                        f"{path}, line {number}: {line[:60]!r}; expected '<class>,<video>:<start> <video>:<start> ...'."
                    )
                yield int(head), segments
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path!r}: {getattr(error, 'message', error)}.") from None
