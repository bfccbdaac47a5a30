"""A small file system of its own, which can be full or read-only as only a real one can."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

_FILLER = "filler"
_BLOCK = 1 << 12


class SmallDisk:
    """A mounted file system.

    Attributes:
      path: its folder.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path

    def fill(self, left: int = 0) -> None:
        """Leave only `left` bytes, rounded to blocks."""
        with open(self.path / _FILLER, "wb", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(bytes(_BLOCK))
        size = os.path.getsize(self.path / _FILLER) - left
        os.truncate(self.path / _FILLER, max(0, size) // _BLOCK * _BLOCK)

    def empty(self) -> None:
        """Give the room back that `fill` took."""
        (self.path / _FILLER).unlink(missing_ok=True)

    def make_read_only(self) -> None:
        """Refuse all changes from now on."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)


@contextlib.contextmanager
def small_disk(path: pathlib.Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount an empty file system in memory at `path`; skip the test where that is not allowed."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"there is no command that mounts a file system ({error})")
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here ({mounted.stderr.strip()})")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
