"""The journal of a prediction: what is done, and where each output then ended.

It is the folder `OUTPUT.progress`, which is written about every ten seconds. A command that finds
one goes on from there if its settings, its model and its records are the same, and otherwise says
what has changed and starts from the beginning.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m import locks
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.counts import ShardCounts
from yt8m.data.pipeline import Done
from yt8m.errors import UserError
from yt8m.files import CannotGoOn, read_json, write_json
from yt8m.process.answered_signals import held
from yt8m.submission.ids import IdWatch
from yt8m.submission.writer import Position, PredictionWriter

# What damaged notes can raise.
_DAMAGED = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
Settings = Callable[[], dict[str, Any]]
Maker = Callable[[Position | None], PredictionWriter]

EVERY_SECONDS = 10.0
_SHARE = 0.05  # of the time, which writing the journal may take
_NOTES, _IDS, _COUNTS = "progress.json", "ids.bin", "counts.json"


class Journal:
    """The open outputs of a prediction, and how far they are.

    Attributes:
      writers: the outputs.
      done: what was written before this process began, or up to the last note.
      ids: watches the ids.
      counts: the records of each shard that has been read.
      more: what else a caller wants noted, as JSON values.

    Args:
      folder: local folder of the journal, or "" if there is to be none.
      makers: opens each output, by the name of its flag, at a position or from the beginning.
      settings: returns everything that the outputs depend on, as JSON values by a name for
        messages. It is called once, when the first note is written.
      noted: the notes of a killed process, or None.

    Raises:
      CannotGoOn: an output is not what was noted.
      UserError: an output cannot be written.
    """

    def __init__(
        self,
        folder: str,
        makers: Mapping[str, Maker],
        settings: Settings,
        noted: dict[str, Any] | None = None,
    ):
        self._folder, self._settings = folder, settings
        self._notes: dict[str, Any] | None = noted
        if folder and noted is None:
            for name in (_NOTES, _IDS, _COUNTS):
                _remove(os.path.join(folder, name))
        self.ids = IdWatch(self._file(_IDS), noted and noted["ids"])
        self.done = Done(*noted["done"]) if noted else Done()
        self.more: dict[str, Any] = noted["more"] if noted else {}
        self.counts = ShardCounts(self._file(_COUNTS)) if folder else None
        self._opened: dict[str, PredictionWriter] = {}
        try:
            for flag, make in makers.items():
                self._opened[flag] = make(noted["outputs"][flag] if noted else None)
        except BaseException:
            self.end(whole=False)
            raise
        self._due = time.monotonic() + EVERY_SECONDS

    def _file(self, name: str) -> str:
        return os.path.join(self._folder, name) if self._folder else ""

    @property
    def writers(self) -> list[PredictionWriter]:
        """The outputs, in the order in which they were given."""
        return list(self._opened.values())

    @property
    def has_notes(self) -> bool:
        """Whether another process could go on after this one."""
        return self._notes is not None

    def check_ids(self, texts: Sequence[str]) -> None:
        """Refuse ids that an output cannot hold, before any output has them.

        Raises:
          UserError: there is one.
        """
        for writer in self.writers:
            writer.check_ids(texts)

    def restore(self, bad: BadRecords) -> None:
        """Tell `bad` what a killed process has found.

        Raises:
          UserError: that is more than it allows.
        """
        if self._notes:
            bad.restore(self._notes["bad"])

    def note_if_due(self, done: Done, bad: BadRecords) -> bool:
        """Write the notes if those before are old enough; return whether that was done."""
        is_due = bool(self._folder) and time.monotonic() >= self._due
        if is_due:
            self.note(done, bad)
        return is_due

    def note(self, done: Done, bad: BadRecords) -> None:
        """Write down that the outputs have what `done` says, once they are on the disk.

        Nothing is written if an output cannot be gone on with, such as one in a bucket.

        Raises:
          UserError: the disk is full, for example.
        """
        if not self._folder:
            return
        try:
            self._note(done, bad)
        except (OSError, tf.errors.OpError) as error:
            why = getattr(error, "strerror", None) or getattr(error, "message", error)
            raise UserError(
                f"cannot write to {self._folder!r}: {why}. Make room, and give the same command"
                " again; it goes on."
            ) from None

    def _note(self, done: Done, bad: BadRecords) -> None:
        began = time.monotonic()
        positions = {flag: writer.position() for flag, writer in self._opened.items()}
        if None in positions.values():
            return
        if self.counts is not None:  # first, since it may be newer than the notes, but not older
            self.counts.save((0, done.examples))
        settings = self._notes["settings"] if self._notes else self._settings()
        self._notes = {
            "format": 1,
            "settings": settings,
            "done": list(done),
            "outputs": positions,
            "ids": self.ids.position(),
            "bad": bad.state(),
            "more": self.more,
        }
        write_json(self._file(_NOTES), self._notes)
        self.done = done
        took = time.monotonic() - began
        self._due = time.monotonic() + max(EVERY_SECONDS, took * (1 / _SHARE - 1))

    def end(self, whole: bool) -> None:
        """Give every output its name; or, if it is not whole, keep what there are notes of."""
        with held():  # A signal must not leave some of the outputs without their names.
            for writer in self.writers:
                if whole:
                    writer.close()
                elif self.has_notes:
                    writer.leave()
                else:
                    writer.abandon()
            if self._folder and (whole or not self.has_notes):
                shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def opened(
    folder: str,
    makers: Mapping[str, Maker],
    settings: Settings,
    say: Callable[[str], None] = print,
) -> Iterator[Journal]:
    """Open the outputs where a killed process has left them, or from the beginning.

    At the end of the context they get their names. If it raises an exception, what there are notes
    of is kept, and the rest is deleted.

    Args:
      folder: local folder of the journal, or "" if there is to be none.
      makers: see `Journal`.
      settings: see `Journal`.
      say: prints a line.

    Raises:
      UserError: another process is writing the same outputs, or one cannot be written.
    """
    was_begun = bool(folder) and os.path.isdir(folder)
    with _locked(folder, next(iter(makers))):
        noted = _read(folder, settings, say) if folder else None
        if was_begun and not os.path.exists(os.path.join(folder, _NOTES)):
            say(f"starting from the beginning: {folder} has no notes of an earlier command")
        try:
            journal = Journal(folder, makers, settings, noted)
        except (CannotGoOn, *_DAMAGED) as lost:
            say(f"starting from the beginning: {lost}")
            journal = Journal(folder, makers, settings)
        try:
            yield journal
        except BaseException:
            journal.end(whole=False)
            if journal.has_notes:
                say(
                    f"the first {journal.done.examples:,} are kept; the same command goes on after"
                    f" them, and deleting {folder} makes it start from the beginning"
                )
            raise
        journal.end(whole=True)


@contextlib.contextmanager
def _locked(folder: str, flag: str) -> Iterator[None]:
    """Make the folder, and let no other process use it in this context."""
    if not folder:
        yield
        return
    with locks.held(locks.beside(folder), f"the output of {flag}"):
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot write to {folder!r}: {error.strerror}. Set {flag} to a writable path."
            ) from None
        yield


def _remove(path: str) -> None:
    """Remove a file, or the folder that stands in its place."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def _read(folder: str, settings: Settings, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Return the notes of a killed process, or None if there are none to go on with."""
    path = os.path.join(folder, _NOTES)
    if not os.path.exists(path):
        return None
    try:
        noted: dict[str, Any] = read_json(path)
        before = dict(noted["settings"])
        int(noted["done"][0])
    except (*_DAMAGED, UserError, OSError, tf.errors.OpError):
        say(f"starting from the beginning: {path} cannot be read")
        return None
    now = settings()
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        say(
            f"starting from the beginning: {', '.join(changed)} changed since the first"
            f" {noted['done'][0]:,} were written"
        )
        return None
    return noted
