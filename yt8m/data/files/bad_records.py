"""Broken records: skipped and counted, up to a limit, and told by file and offset, not by a TensorFlow trace."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from yt8m.data.files.scan import scan
from yt8m.errors import UserError

LABEL_MARK = "YT8M_LABEL_BEYOND_CLASSES"
HASHES = 1 << 62
# What TensorFlow raises of a record that does not parse: the second where the message quotes bytes of it that are no UTF-8.
PARSE_ERRORS = (tf.errors.OpError, UnicodeDecodeError)


def message_of(error: tf.errors.OpError | UnicodeDecodeError) -> str:
    """Return the message of one of `PARSE_ERRORS`; bytes of it that are no UTF-8 are replaced."""
    return (
        error.object.decode("utf-8", "replace")
        if isinstance(error, UnicodeDecodeError)
        else error.message
    )


def is_parse_error(message: str) -> bool:
    """Whether a TensorFlow error says that a record cannot be parsed (a label beyond the classes can)."""
    told = re.search(r"[Pp]ars(e|ing)|decode_raw|DecodeRaw|Inconsistent|serialized", message)
    return bool(told) and LABEL_MARK not in message


def parse_error(message: str) -> str:
    """Return the line of such an error that says most."""
    where = re.compile(r"\s*(Graph execution error|Detected at|File \"|\[\[|$)")
    message = re.sub(r"\{\{.*?\}\} ?", "", message)  # names of TensorFlow's own, which come first
    lines = [x.strip() for x in message.splitlines() if not where.match(x)] or [message]
    return next((x for x in lines if is_parse_error(x)), lines[0])[:200]


def content_hash(payload: bytes) -> int:
    """Return what tells a record from others, and is computed alike within a pipeline."""
    return int(tf.strings.to_hash_bucket_fast(payload, HASHES))


def label_beyond(label: int, num_classes: int) -> str:
    """Return what is said of a label index beyond the K classes."""
    return (
        f"a record has label {label}, but there are {num_classes} classes, 0 to {num_classes - 1};"
        " give the right --num_classes (4716 for the 2017 release, 3862 for 2018)."
    )


class BadRecord(NamedTuple):
    """Where a broken record lies, and what is wrong with it."""

    file: str
    offset: int
    problem: str


class BadRecords:
    """Counts the broken records that a pipeline skips.

    Args:
      limit: how many may be skipped before reading stops with an error.

    Attributes:
      found: the broken ones.
      left_out: hashes of whole records that cannot be parsed, which `build_dataset` leaves out.
    """

    def __init__(self, limit: int = 0):
        self.limit = limit
        self.found: list[BadRecord] = []
        self.left_out: set[int] = set()
        self._known: set[tuple[str, int]] = set()
        self._lock = threading.Lock()
        self._error: str | None = None

    def recover(self, path: bytes, seen: np.ndarray, name: bytes) -> np.ndarray:
        """Return the good records of `path` behind byte `seen`, where the fast reader stopped short.

        Called by the pipeline at the end of each shard. Most shards were read to their last byte,
        and cost one look at the file's size. `name` is the shard of which `path` may be a copy.
        """
        start = int(seen)
        if tf.io.gfile.stat(path.decode()).length == start:
            return np.array([], dtype=object)
        good: list[bytes] = []
        for record in scan(path.decode(), start):
            if record.problem is None:
                good.append(record.payload)
            else:
                self.add(BadRecord(name.decode(), record.offset, record.problem))
        return np.array(good, dtype=object)

    def add(self, bad: BadRecord) -> None:
        """Count a broken record, once however often it is met; a `ValueError`, which `explained` tells, above the limit."""
        with self._lock:
            if (
                bad.file,
                bad.offset,
            ) not in self._known:  # else a shard read again, in the next epoch or for other ends
                self._known.add((bad.file, bad.offset))
                self.found.append(bad)
            if len(self.found) > self.limit:
                self._error = (
                    f"{bad.file} has a broken record at byte {bad.offset}: {bad.problem}. "
                    f"{len(self.found)} broken so far, and --max_bad_records={self.limit} allows no more. "
                    f"`python -m yt8m.data.inspect --full {bad.file}` lists them; raise the flag to skip them."
                )
                raise ValueError(self._error)

    @property
    def has_stopped(self) -> bool:
        """Whether the pipeline was stopped from here, be it for too many broken records."""
        return self._error is not None

    def refuse(self, message: str) -> None:
        """Stop the pipeline from within, with a message that `explained` gives to the user."""
        self._error = message
        raise ValueError(message)

    def summary(self) -> str:
        """Return a line that names the first of the skipped records, or an empty string."""
        if not self.found:
            return ""
        first = self.found[0]
        return f"skipped {len(self.found)} broken records; the first: {first.file} at byte {first.offset}, {first.problem}"

    @contextlib.contextmanager
    def explained(self, num_classes: int = 0) -> Iterator[None]:
        """Turn TensorFlow errors that come out of the pipeline into a `UserError`."""
        try:
            yield
        except tf.errors.OutOfRangeError:
            raise
        except PARSE_ERRORS as error:
            if self._error:
                raise UserError(self._error) from None
            message = message_of(error)
            label = re.search(LABEL_MARK + r"[^\d-]*(-?\d+)", message)
            if label:
                raise UserError(label_beyond(int(label.group(1)), num_classes)) from None
            if is_parse_error(message):
                raise UserError(
                    f"a record cannot be parsed ({parse_error(message)}). `python -m yt8m.data.inspect --full PATTERN` names it"
                    " by file and byte; --feature_names and --feature_sizes must fit the records."
                ) from None
            raise
