"""Locks that keep two processes from writing one output at the same time.

A lock is a small file beside the output, or in the folder that is written. It says which process
has it: the machine, the number of the process, and when the process started. A process that is
killed leaves its lock behind, and the next one takes it over and says so.

On one machine the operating system tells whether that process still runs. Of another machine, which
shares the folder, one cannot ask. So whoever has a lock touches its file every few seconds, and a
lock that nobody has touched for a minute is taken over. This works wherever files are created
exclusively and have a time of modification, as on local disks, NFS and SMB. Files in a bucket
(gs://) have no locks.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Iterator

from yt8m.locks import lock_file
from yt8m.locks.lock_file import Locked
from yt8m.process import answered_signals

__all__ = ["IN_FOLDER", "Locked", "beside", "held", "inside", "release", "take"]

IN_FOLDER = "yt8m.lock"
TOUCHED_EVERY = 10.0  # seconds


@dataclasses.dataclass(frozen=True)
class _Held:
    """A lock of this process; `token` is empty if the place can have none."""

    path: str
    token: str
    pid: int
    made: tuple[str, ...]  # folders
    until_exit: bool = False


_registry = threading.Lock()
_held: dict[str, _Held] = {}
_toucher: list[threading.Thread] = []


def beside(path: str) -> str:
    """Return the path of the lock of a file, or of a folder that is replaced as a whole."""
    return path.rstrip("/") + ".lock"


def inside(folder: str) -> str:
    """Return the path of the lock of a folder that a command writes into."""
    return os.path.join(folder, IN_FOLDER)


@contextlib.contextmanager
def held(lock: str, output: str) -> Iterator[None]:
    """Hold a lock in this context.

    Args:
      lock: path of the lock's file; a remote one has none. Its folder is made if necessary, and
        removed at the end if nothing has been written to it.
      output: what is written, for messages, such as "--train_dir=runs/moe".

    Raises:
      Locked: another process is writing the output, or this one is already.
      UserError: what stands in the place of the lock is no file.
    """
    take(lock, output)
    try:
        yield
    finally:
        release(lock)


def take(lock: str, output: str, until_exit: bool = False) -> None:
    """Take a lock until `release`; see `held`.

    Args:
      lock: see `held`.
      output: see `held`.
      until_exit: the process gives it back when it ends, and may take it again until then.
    """
    if "://" in lock:
        return
    try:
        with answered_signals.held(), _registry:
            _take(lock, output, until_exit)
    except KeyboardInterrupt:  # which came meanwhile, and is raised when the lock is there
        release(lock)
        raise


def _take(lock: str, output: str, until_exit: bool) -> None:
    name = os.path.realpath(lock)
    mine = _held.get(name)
    if mine and mine.pid == os.getpid():
        if mine.until_exit and until_exit:
            return
        raise Locked(f"this process is already writing {output}; wait for its end.")
    made = tuple(lock_file.make_folder(os.path.dirname(lock)))
    try:
        token = lock_file.create(lock, output)
    except BaseException:
        lock_file.remove_folders(made)
        raise
    _held[name] = _Held(lock, token, os.getpid(), made, until_exit)
    if until_exit:
        atexit.register(release, lock)
    if not _toucher or not _toucher[0].is_alive():
        _toucher[:] = [threading.Thread(target=_touch, daemon=True, name="locks")]
        _toucher[0].start()


def release(lock: str) -> None:
    """Give back a lock that `take` took; a child process that was forked has none."""
    with answered_signals.held(), _registry:  # A signal must not leave the lock behind.
        mine = _held.pop(os.path.realpath(lock), None)
        if mine and mine.token and mine.pid == os.getpid():
            lock_file.remove(lock, mine.token)
            lock_file.remove_folders(mine.made)


def _touch() -> None:
    """Show other machines that this process lives."""
    while True:
        time.sleep(TOUCHED_EVERY)
        with _registry:
            paths = [mine.path for mine in _held.values() if mine.token]
        for path in paths:
            with contextlib.suppress(OSError):
                os.utime(path)
