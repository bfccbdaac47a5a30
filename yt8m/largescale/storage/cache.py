"""The copies of objects on a node's disk, of which the longest unused are deleted for new ones."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time

CACHE_BYTES = 100 << 30
_IN_USE = 10.0  # seconds in which whoever asked for a copy opens it
_UNFINISHED_SECONDS = 3600.0  # in which whoever makes a copy writes to it
_PROCESSES = 16
# Bound -> the bytes that this process may add before it looks at all copies again.
_LEFT: dict[int, float] = {}


def root() -> str:
    """Return the folder of all copies of this user on this node, below TMPDIR (/tmp)."""
    folder = os.path.join(tempfile.gettempdir(), f"yt8m-cache-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def folder_of(*identity: str) -> str:
    """Return the folder for the copies of what strings identify."""
    digest = hashlib.sha1("\n".join(identity).encode()).hexdigest()
    return os.path.join(root(), digest[:20])


def used(path: str) -> bool:
    """Note that a copy is used now, and return whether it is there."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def added(path: str, most: int) -> None:
    """Note a new copy, and delete the longest unused ones if all together have too many bytes.

    To look at every copy takes long if there are many. So they are cut to 9/10 of the bound, and
    looked at again when this process has added a share of the rest: up to 16 processes of a node
    stay within the bound.

    Args:
      path: the new copy.
      most: the bound in bytes.
    """
    with contextlib.suppress(OSError):  # another process has deleted it
        _LEFT[most] = _LEFT.get(most, 0.0) - os.path.getsize(path)
    if _LEFT.get(most, 0.0) <= 0:
        _LEFT[most] = (most - _trimmed(most)) / _PROCESSES


def _trimmed(most: int) -> int:
    """Delete the longest unused copies if all have more than `most` bytes; return what is left.

    A copy that was used within the last seconds stays. A file that is memory-mapped may be deleted.
    """
    found: list[tuple[float, int, str]] = []
    for folder, _, names in os.walk(root()):
        for name in names:
            with contextlib.suppress(OSError):
                about = os.stat(os.path.join(folder, name))
                found.append((about.st_mtime, about.st_size, os.path.join(folder, name)))
    held, now = sum(size for _, size, _ in found), time.time()
    if held <= most:
        return held
    for when, size, path in sorted(found):
        in_use = _UNFINISHED_SECONDS if path.endswith(".tmp") else _IN_USE
        if now - when < in_use:
            continue
        with contextlib.suppress(OSError):
            os.remove(path)
        held -= size
        if held <= 0.9 * most:
            break
    return held
