"""The file of a lock: created by one process at a time, and removed when its owner is gone."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import Any

from yt8m.errors import UserError
from yt8m.locks.owner import Owner

SILENT_FOR = 60.0  # seconds after which a process of another machine counts as gone
_WRITTEN_WITHIN = 2.0  # seconds between the creation of a lock and its content
_MOST = 1 << 16  # bytes of a lock that are read


class Locked(UserError):
    """Another process is writing the same output."""


def make_folder(folder: str) -> list[str]:
    """Make a folder where that is possible; return it and its parents as far as they are new."""
    new, above = [], os.path.abspath(folder)
    while not os.path.lexists(above):
        new.append(above)
        above = os.path.dirname(above)
    with contextlib.suppress(OSError):
        os.makedirs(folder or ".", exist_ok=True)
    return new


def remove_folders(folders: Iterable[str]) -> None:
    """Remove folders, one after another, as long as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            os.rmdir(folder)


def create(lock: str, output: str) -> str:
    """Create the file of a lock, and return its token; "" where no file can be created.

    Whether the place can be written at all, whoever writes the output finds out and says.

    Args:
      lock: path of the file.
      output: what is written, for messages.

    Raises:
      Locked: another process has the lock.
      UserError: what is there is no file.
    """
    owner = Owner.this_process()
    while True:
        try:
            out = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            _remove_if_abandoned(lock, output)
            continue
        except OSError:
            return ""
        try:
            with os.fdopen(out, "wb") as file:  # which goes on where a write takes only a part
                file.write(owner.to_bytes())
        except OSError:  # a full disk, which the output will meet as well
            with contextlib.suppress(OSError):
                os.remove(lock)
            return ""
        return owner.token


def remove(lock: str, token: str) -> None:
    """Remove the file of a lock, unless it has become another's."""
    with contextlib.suppress(OSError):
        with _opened(lock) as file:
            owner = _owner_in(file)
        if owner and owner.token == token:
            os.remove(lock)


def _remove_if_abandoned(lock: str, output: str) -> None:
    """Remove the lock of a process that has ended, and say so; return if it has changed meanwhile.

    Raises:
      Locked: the process has not ended.
      UserError: what is there is no file.
    """
    try:
        with _opened(lock) as file:
            owner = _awaited_owner(file, lock)
            if owner is not None:
                _refuse_if_alive(file, lock, owner, output)
            if not _is_alone(file) or not _is_same(file, lock):
                time.sleep(0.05)
                return
            os.remove(lock)
            print(_taken_over(lock, owner), flush=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(
            f"{lock} stands where the lock of {output} is to be, and cannot be read or removed"
            f" ({error.strerror}); delete it, or name another output."
        ) from None


def _taken_over(lock: str, owner: Owner | None) -> str:
    if owner is None:
        return f"took over the lock {lock}, which is damaged"
    why = "has ended" if owner.is_here() else f"has given no sign of life for {SILENT_FOR:.0f} s"
    return f"took over the lock {lock} of {owner}, which {why} without giving it back"


@contextlib.contextmanager
def _opened(lock: str) -> Iterator[Any]:
    # A pipe in its place must not let this wait for a writer.
    with open(os.open(lock, os.O_RDWR | getattr(os, "O_NONBLOCK", 0)), "rb+", buffering=0) as file:
        yield file


def _owner_in(file: Any) -> Owner | None:
    file.seek(0)
    return Owner.from_bytes(file.read(_MOST) or b"")


def _awaited_owner(file: Any, lock: str) -> Owner | None:
    """Return who has a lock, or None if the file does not say it, even after a while."""
    end = time.monotonic() + _WRITTEN_WITHIN
    while True:
        owner = _owner_in(file)
        if owner is not None or time.monotonic() > end or not _is_same(file, lock):
            return owner
        time.sleep(0.1)


def _refuse_if_alive(file: Any, lock: str, owner: Owner, output: str) -> None:
    if owner.is_here():
        is_alive, more = owner.is_running(), ""
    else:
        is_alive = _gives_signs_of_life(file, lock, owner)
        more = f" If that process is gone all the same, delete {lock}."
    if is_alive:
        raise Locked(
            f"another process is writing {output}: {owner}. Wait for its end, stop it, or name"
            f" another output.{more}"
        )


def _gives_signs_of_life(file: Any, lock: str, owner: Owner) -> bool:
    """Return whether a process of another machine touches its lock; wait until that is known."""
    first, said = os.fstat(file.fileno()).st_mtime, False
    while True:
        try:  # A client of a network file system sees the time of a file when it opens it.
            with _opened(lock) as again:
                touched = os.fstat(again.fileno()).st_mtime
        except OSError:
            return False
        left = SILENT_FOR - (_now_in(os.path.dirname(lock) or ".") - touched)
        if touched != first or left <= 0:
            return touched != first
        if not said:
            said = True
            print(
                f"{lock} belongs to {owner}; waiting up to {left:.0f} s for a sign of life of it",
                flush=True,
            )
        time.sleep(min(1.0, left))


def _now_in(folder: str) -> float:
    """Return the time by the clock of the machine that has a folder's files."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b" ")
            probe.flush()
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return time.time()


def _is_alone(file: Any) -> bool:
    """Return whether no other process is about to remove the same file."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        pass  # Two that do so within a millisecond could both go on.
    return True


def _is_same(file: Any, path: str) -> bool:
    """Return whether a path still names an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
