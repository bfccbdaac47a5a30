"""Windows of features that the processes of a node share, so that one of them reads each.

The order of the windows of a pass depends only on the seed, the epoch and the store, so all
processes that train on a store want the same ones, at about the same time. The first that needs one
copies it into a folder of the node, where the others map it:

    /dev/shm/yt8m-windows-UID/DIGEST/    or below TMPDIR; the digest of what the windows are from
        0123abcd…                        a window; the oldest is removed for a new one, and those
                                         who have mapped it keep it
        0123abcd….partial                a window that is being read, locked by its process
        4567….user                       the window in which a process is, locked by the process

A process that is ahead of another waits before it removes the window that the other needs next, but
no longer than a window took it: nobody waits for long for a process that is much slower, which
reads by itself what is gone. The kernel gives up the locks of a process that is killed, and whoever
next comes to the folder goes on with what it left. The last process that leaves a folder removes
it, and every process that comes or goes removes the folders that nobody uses.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import BinaryIO, Callable

import numpy as np

from yt8m.data.files.copies import PARTIAL, FileCopy, FolderCopies, NoSpace, locked_folder
from yt8m.data.files.memory import available_memory
from yt8m.files import lock
from yt8m.largescale.features.shard import Shard
from yt8m.largescale.features.window import FeatureWindow, Piece, rows_of, window_bytes

KEPT = 3  # windows, with one that is being read: so far may processes be apart
_MEMORY = "/dev/shm"
_USER = ".user"
_PATIENCE = 60.0  # the most seconds for which a process waits before it removes a window
_POLL = 0.05


class SharedWindows:
    """The windows of one pass over a store; a context manager.

    Args:
      name: what the windows are from: all processes with one name must see equal features.
      most_bytes: the bytes of a window, without its labels.
    """

    def __init__(self, name: str, most_bytes: int):
        self._digest = hashlib.sha1(name.encode()).hexdigest()[:20]
        self._most_bytes = most_bytes
        self._user: BinaryIO | None = None  # this process's file in the folder
        self._refused = False
        self._passed = [""]  # the names of the windows so far, after that of none
        self._came = 0.0  # when the last one was there
        self._took = 0.0  # seconds from the one before it

    def __enter__(self) -> SharedWindows:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        user, self._user = self._user, None
        if user is None:
            return
        root = os.path.dirname(os.path.dirname(user.name))
        # At the end of the interpreter nothing can be imported.
        with contextlib.suppress(ImportError, OSError), locked_folder(root):
            os.remove(user.name)
            user.close()
            _remove_unused(root)

    def window(
        self,
        pieces: Sequence[Piece],
        open_shard: Callable[[int], Shard],
        width: int,
        dtype: np.dtype,
    ) -> FeatureWindow:
        """Return a window that another process has read, or read it for all.

        The arguments are those of `FeatureWindow.read`. Where windows cannot be shared, because
        there is no room or another process takes too long, this process reads it for itself.

        Raises:
          DamagedShard: see `Shard.read_into`.
        """
        now = time.monotonic()
        self._took = now - self._came if self._came else 0.0
        window = self._shared(pieces, open_shard, width, dtype)
        self._came = time.monotonic()
        return window or FeatureWindow.read(pieces, open_shard, width, dtype)

    def _shared(
        self,
        pieces: Sequence[Piece],
        open_shard: Callable[[int], Shard],
        width: int,
        dtype: np.dtype,
    ) -> FeatureWindow | None:
        user = self._joined()
        if user is None:
            return None
        copies, rows = FolderCopies(os.path.dirname(user.name)), rows_of(pieces)
        name = hashlib.sha1(repr((pieces, width, dtype.name)).encode()).hexdigest()
        size = window_bytes(rows, width, dtype)
        until = time.monotonic() + 2 * _PATIENCE  # another may wait once before it reads
        window = None
        while window is None and time.monotonic() < until:
            try:
                found = _mapped(copies.path(name))
                if found is not None:
                    window = FeatureWindow(found, rows, width, dtype)
                    break
                copy = copies.begin(name, size)
                # Another process may have completed it since we looked.
                if copy is not None and os.path.exists(copies.path(name)):
                    copy.abandon()
                elif copy is not None:
                    self._make_room(user)
                    window = _read(copy, size, pieces, open_shard, width, dtype)
                else:
                    time.sleep(_POLL)
            except (NoSpace, OSError):
                break
        self._passed.append(name)
        os.pwrite(user.fileno(), name.encode(), 0)
        return window

    def _joined(self) -> BinaryIO | None:
        """Return this process's file in the folder of the windows, or None if there is no room."""
        if self._user is None and not self._refused:
            with contextlib.suppress(ImportError, OSError):  # of a system without such locks
                self._user = _join(self._digest, (KEPT + 1) * self._most_bytes)
            self._refused = self._user is None
        return self._user

    def _make_room(self, user: BinaryIO) -> None:
        """Remove the oldest windows, each when those who need it next have it or are too slow."""
        folder = os.path.dirname(user.name)
        for path in _windows(folder)[: 1 - KEPT]:
            name = os.path.basename(path)
            if name in self._passed[1:]:
                before = self._passed[self._passed.index(name) - 1]
                until = time.monotonic() + min(self._took, _PATIENCE)
                while time.monotonic() < until and before in _places(folder, user.name):
                    time.sleep(_POLL)
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)


def _read(
    copy: FileCopy,
    size: int,
    pieces: Sequence[Piece],
    open_shard: Callable[[int], Shard],
    width: int,
    dtype: np.dtype,
) -> FeatureWindow:
    """Read a window into a copy, which all others see when it is complete."""
    with copy:
        buffer = np.frombuffer(copy.mapped(size), np.uint8)
        window = FeatureWindow.read(pieces, open_shard, width, dtype, buffer)
        copy.write(window.labels.tobytes())
    return window


def _mapped(path: str) -> np.ndarray | None:
    try:
        with open(path, "rb") as f:
            return np.frombuffer(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    except FileNotFoundError:
        return None


def _windows(folder: str) -> list[str]:
    """Return the paths of the complete windows, the oldest first."""
    found: list[tuple[float, str]] = []
    for name in os.listdir(folder):
        if not name.endswith((_USER, PARTIAL)):
            with contextlib.suppress(FileNotFoundError):
                path = os.path.join(folder, name)
                found.append((os.stat(path).st_mtime, path))
    return [path for _, path in sorted(found)]


def _users(folder: str) -> Iterator[tuple[str, str | None]]:
    """Yield the file of each process and the name of the window in which it is.

    The name is "" before the first window, and None if the process has died.
    """
    for name in os.listdir(folder):
        if name.endswith(_USER):
            path = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as user:
                yield path, None if lock(user) else user.read().decode()


def _places(folder: str, but: str) -> list[str]:
    """Return where the living processes are, but for the one with a file."""
    return [place for path, place in _users(folder) if place is not None and path != but]


def _join(digest: str, needed: int) -> BinaryIO | None:
    """Return a locked file in the folder of some windows, or None if there is no room for them.

    Args:
      digest: the name of the folder.
      needed: bytes of the windows.
    """
    roots = list(_roots())
    begun = [root for root in roots if os.path.isdir(os.path.join(root, digest))]
    for root in (*begun, *roots):
        os.makedirs(root, mode=0o700, exist_ok=True)
        if os.stat(root).st_uid != os.getuid():  # another's, who could change what is read
            continue
        with locked_folder(root):
            _remove_unused(root)
            folder = os.path.join(root, digest)
            if not os.path.isdir(folder) and not _has_room(root, needed):
                continue
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, uuid.uuid4().hex + _USER)
            user = open(path, "xb", buffering=0)  # noqa: SIM115
            while not lock(user):  # while another process looks whether this one lives
                time.sleep(_POLL)
            return user
    return None


def _roots() -> Iterator[str]:
    """Yield where the folders of this user may be, the best first."""
    for place in (_MEMORY, tempfile.gettempdir()):
        if os.path.isdir(place):
            yield os.path.join(place, f"yt8m-windows-{os.getuid()}")


def _has_room(root: str, needed: int) -> bool:
    if root.startswith(_MEMORY) and (available_memory() or needed) < needed:
        return False
    return shutil.disk_usage(root).free >= needed


def _remove_unused(root: str) -> None:
    """Remove the folders in which no process is, and what dead ones left in the others.

    The root must be locked.
    """
    for name in os.listdir(root):
        with contextlib.suppress(OSError):
            users = dict(_users(os.path.join(root, name)))
            dead = [path for path, place in users.items() if place is None]
            if len(dead) == len(users):
                shutil.rmtree(os.path.join(root, name))
            else:
                for path in dead:
                    os.remove(path)
