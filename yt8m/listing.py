"""Which files there are and how large they are, asked 32 at a time and once for a command.

A question to a bucket takes 20 to 50 ms, and a data set has thousands of files: asked one after the
other, and again by each part of a command, they would keep it silent for minutes.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf

AT_ONCE = 32  # questions that are asked together
_LOCAL_TOGETHER = 256  # local files about which a thread asks: one answer takes as long as its task
_SILENT_SECONDS = 3.0  # before a line of progress, and between two of them


class FileStatus(NamedTuple):
    """What a file system says about a file.

    Attributes:
      size: in bytes.
      modified: when it was last written, in nanoseconds.
      is_folder: whether it is a folder.
    """

    size: int
    modified: int
    is_folder: bool


@dataclasses.dataclass
class _Answers:
    globs: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    statuses: dict[str, FileStatus] = dataclasses.field(default_factory=dict)
    news: set[str] = dataclasses.field(default_factory=set)


_kept: _Answers | None = None


@contextlib.contextmanager
def asked_once() -> Iterator[None]:
    """Keep the answers of this module's functions until the end of the block.

    It is for the duration of a command, whose data set is the one that was there when it began.
    Outside of such a block, each call asks again.
    """
    global _kept
    outer = _kept
    _kept = outer or _Answers()
    try:
        yield
    finally:
        _kept = outer


def is_news(text: str) -> bool:
    """Return whether something about the files has not been said yet in this command."""
    if _kept is None:
        return True
    is_new = text not in _kept.news
    _kept.news.add(text)
    return is_new


def matching(glob: str) -> list[str]:
    """Return the files and folders that a glob matches, local or remote.

    Raises:
      tf.errors.OpError: they cannot be listed.
    """
    import tensorflow as tf

    if _kept is not None and glob in _kept.globs:
        return list(_kept.globs[glob])
    found = [str(path) for path in tf.io.gfile.glob(glob)]
    if _kept is not None:
        _kept.globs[glob] = list(found)
    return found


def status(path: str) -> FileStatus:
    """Return the status of one file, asked now.

    Raises:
      tf.errors.NotFoundError: it does not exist.
    """
    import tensorflow as tf

    about = tf.io.gfile.stat(path)
    return FileStatus(int(about.length), int(about.mtime_nsec), bool(about.is_directory))


def look(paths: Sequence[str]) -> Iterator[tuple[str, FileStatus | tf.errors.OpError]]:
    """Yield each path, in order and once, with its status or with the error of asking for it.

    A line on stderr says how far a slow listing is. A caller that stops at an error does not wait
    for the other answers.
    """
    answers, said, done = _kept or _Answers(), time.monotonic(), 0
    unknown = [path for path in dict.fromkeys(paths) if path not in answers.statuses]
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    try:
        together = 1 if any("://" in path for path in unknown) else _LOCAL_TOGETHER
        parts = (unknown[i : i + together] for i in range(0, len(unknown), together))
        asked = itertools.chain.from_iterable(pool.map(_statuses_or_errors, parts))
        for path in dict.fromkeys(paths):
            if path in answers.statuses:
                yield path, answers.statuses[path]
                continue
            found, done = next(asked), done + 1
            if isinstance(found, FileStatus):
                answers.statuses[path] = found
            if time.monotonic() - said > _SILENT_SECONDS:
                said = time.monotonic()
                print(f"looked at {done:,} of {len(unknown):,} files", file=sys.stderr)
            yield path, found
    finally:
        pool.shutdown(cancel_futures=True)


def _statuses_or_errors(paths: Sequence[str]) -> list[FileStatus | tf.errors.OpError]:
    import tensorflow as tf

    found: list[FileStatus | tf.errors.OpError] = []
    for path in paths:
        try:
            found.append(status(path))
        except tf.errors.OpError as error:
            found.append(error)
    return found


def statuses(paths: Sequence[str]) -> list[FileStatus]:
    """Return the status of each file; see `look`.

    Raises:
      tf.errors.OpError: one does not exist, or cannot be asked about.
    """
    if _kept is not None:
        with contextlib.suppress(KeyError):  # All known: a million are looked up in 0.1 s.
            return [_kept.statuses[path] for path in paths]
    found: dict[str, FileStatus] = {}
    for path, answer in look(paths):
        if not isinstance(answer, FileStatus):
            raise answer
        found[path] = answer
    return [found[path] for path in paths]


def sizes(paths: Sequence[str]) -> list[int]:
    """Return the bytes of each file; see `statuses`."""
    return [found.size for found in statuses(paths)]
