"""Broken records, which are skipped and counted up to a limit, and named by file and offset."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np
import tensorflow as tf

from yt8m.data.files.scan import scan
from yt8m.errors import UserError

Batch = TypeVar("Batch")
LABEL_MARK = "YT8M_LABEL_BEYOND_CLASSES"
HASHES = 1 << 62
# TensorFlow raises these for a record that does not parse; the second if the message quotes bytes
# of the record that are not UTF-8.
PARSE_ERRORS = (tf.errors.OpError, UnicodeDecodeError)


def message_of(error: BaseException) -> str:
    """Return the message of one of `PARSE_ERRORS`; bytes that are not UTF-8 are replaced."""
    if isinstance(error, UnicodeDecodeError):
        return error.object.decode("utf-8", "replace")
    return getattr(error, "message", str(error))


def is_parse_error(message: str) -> bool:
    """Return whether a TensorFlow error says that a record cannot be parsed.

    An error about a label beyond the classes does not count, because that record can be parsed.
    """
    signs = re.search(
        r"[Pp]ars(e|ing)|decode_raw|DecodeRaw|Inconsistent|serialized|could not be found", message
    )
    return bool(signs) and LABEL_MARK not in message


def parse_error(message: str) -> str:
    """Return the most informative line of a parse error."""
    where = re.compile(r"\s*(Graph execution error|Detected at|File \"|\[\[|$)")
    message = re.sub(r"\{\{.*?\}\} ?", "", message)  # names of TensorFlow's own, which come first
    lines = [x.strip() for x in message.splitlines() if not where.match(x)] or [message]
    return next((x for x in lines if is_parse_error(x)), lines[0])[:200]


def content_hash(payload: bytes) -> int:
    """Return the hash of a record that a pipeline also computes."""
    return int(tf.strings.to_hash_bucket_fast(payload, HASHES))


def label_beyond(label: int, num_classes: int, of_run: bool = False) -> str:
    """Return the message about a label index beyond the K classes.

    Args:
      label: the index.
      num_classes: K.
      of_run: whether K is that of a trained model, which no flag changes.
    """
    if label < 0:
        return (
            f"a record has label {label}, but labels are 0 or more; make the records again with"
            " class indices. `python -m yt8m.data.inspect FILE` shows the labels of a file."
        )
    found = f"a record has label {label}, but there are {num_classes} classes, 0 to"
    if of_run:
        return (
            f"{found} {num_classes - 1}, on which the run was trained. Name records that have the"
            " run's classes; `train --init_from` fine-tunes the run to those of others."
        )
    return (
        f"{found} {num_classes - 1}; set --num_classes correctly (4716 for the 2017 release, 3862"
        " for 2018), or name only records of one release."
    )


class BadRecord(NamedTuple):
    """A broken record and its problem."""

    file: str
    offset: int
    problem: str


class BadRecords:
    """Counts the broken records that a pipeline skips.

    Args:
      limit: number of records that may be skipped before reading stops with an error.

    Attributes:
      found: the broken records.
      left_out: hashes of intact records that cannot be parsed; `build_dataset` leaves these out.
      left_out_from: number of examples that were read before the first of these was met.
    """

    def __init__(self, limit: int = 0):
        self.limit = limit
        self.found: list[BadRecord] = []
        self.left_out: set[int] = set()
        self.left_out_from = 0
        self._known: set[tuple[str, int]] = set()
        self._lock = threading.Lock()
        self._error: str | None = None

    def recover(self, path: bytes, seen: np.ndarray, size: np.ndarray, name: bytes) -> np.ndarray:
        """Return the good records after the byte at which the fast reader stopped.

        The pipeline calls this at the end of each shard. Most shards were read to their last byte;
        these cost nothing.

        Args:
          path: file that was read.
          seen: bytes that were read of it.
          size: its bytes.
          name: shard, of which `path` may be a copy.
        """
        start = int(seen)
        if int(size) == start:
            return np.array([], dtype=object)
        good: list[bytes] = []
        for record in scan(path.decode(), start):
            if record.payload is not None:
                good.append(record.payload)
            else:
                self.add(BadRecord(name.decode(), record.offset, str(record.problem)))
        return np.array(good, dtype=object)

    def add(self, bad: BadRecord) -> None:
        """Count a broken record once, even if several epochs or readers encounter it.

        Raises:
          ValueError: there are more than the limit; `explained` turns it into a `UserError`.
        """
        place = (bad.file, bad.offset)
        with self._lock:
            if place not in self._known:
                self._known.add(place)
                self.found.append(bad)
            if len(self.found) > self.limit:
                self._error = (
                    f"{bad.file} has a broken record at byte {bad.offset}: {bad.problem}."
                    f" {len(self.found)} records are broken so far, but"
                    f" --max_bad_records={self.limit} allows no more. `python -m yt8m.data.inspect"
                    f" --full {bad.file}` lists them; raise --max_bad_records to skip them."
                )
                raise ValueError(self._error)

    def state(self) -> dict[str, Any]:
        """Return what is known as JSON values, for `restore`."""
        with self._lock:
            found = [list(record) for record in self.found]
        return {"found": found, "left_out": sorted(self.left_out), "from": self.left_out_from}

    def restore(self, state: dict[str, Any]) -> None:
        """Add what another process has found.

        Raises:
          UserError: there are more broken records than the limit.
        """
        self.left_out, self.left_out_from = set(state["left_out"]), int(state["from"])
        for file, offset, problem in state["found"]:
            try:
                self.add(BadRecord(file, int(offset), problem))
            except ValueError as too_many:
                raise UserError(str(too_many)) from None

    @property
    def has_stopped(self) -> bool:
        """Whether this object stopped the pipeline, for too many broken records or otherwise."""
        return self._error is not None

    def refuse(self, message: str) -> NoReturn:
        """Stop the pipeline from inside it, with a message that `explained` shows to the user."""
        self._error = message
        raise ValueError(message)

    def unless_all_are_broken(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield batches, and refuse a pass without any because each record was broken.

        Raises:
          UserError: there was none, and there were broken records.
        """
        is_empty = True
        for batch in batches:
            is_empty = False
            yield batch
        if is_empty and self.found:
            raise UserError(f"no record could be read: {self.summary()}. Get the files again.")

    def summary(self) -> str:
        """Return a line that names the first of the skipped records, or an empty string."""
        if not self.found:
            return ""
        first = self.found[0]
        return (
            f"skipped {len(self.found)} broken records; the first is in {first.file} at byte"
            f" {first.offset}: {first.problem}"
        )

    @contextlib.contextmanager
    def explained(self, num_classes: int = 0, of_run: bool = False) -> Iterator[None]:
        """Turn TensorFlow errors that come out of the pipeline into a `UserError`.

        Args:
          num_classes: K.
          of_run: whether K is that of a trained model.
        """
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
                raise UserError(label_beyond(int(label.group(1)), num_classes, of_run)) from None
            if is_parse_error(message):
                raise UserError(
                    f"a record cannot be parsed ({parse_error(message)}). `python -m"
                    " yt8m.data.inspect --full PATTERN` lists such records by file and byte;"
                    " --feature_names and --feature_sizes must match the records if they are given."
                ) from None
            raise
