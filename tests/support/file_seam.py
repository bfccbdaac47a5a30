"""Every call by which Python code changes files, so that a fault can be put at each in turn.

with Seam(folder) as seam:                       # count them
    command()
for number in range(1, len(seam.calls) + 1):
    with Seam(folder, number, fault):            # and let one fail
        command()
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
from typing import Any, Callable
from unittest import mock

import tensorflow as tf

# What a fault gets: the call's name, the path, and for a writing call its bytes or text.
Fault = Callable[[str, str, Any], Any]
_OF_ONE_PATH = ("remove", "unlink", "mkdir", "rmdir", "truncate")
_OF_TWO_PATHS = ("replace", "rename")
_OF_GFILE = ("remove", "makedirs", "rmtree", "copy", "rename")
_WRITES = ("write", "truncate", "flush", "close")


class Seam:
    """A context in which calls that change files below a folder are counted, and one may fail.

    Args:
      folder: calls on files elsewhere are not counted.
      at: the number of the call before which the fault comes, from 1; 0 is none.
      fault: raises, or returns what shall be written instead of its third argument.

    Attributes:
      calls: what was called, as (name, path).
    """

    def __init__(self, folder: str, at: int = 0, fault: Fault | None = None):
        self._folder, self._at, self._fault = os.path.abspath(folder), at, fault
        self.calls: list[tuple[str, str]] = []
        self._descriptors: dict[int, str] = {}
        self._patches = contextlib.ExitStack()

    def called(self, name: str, path: Any, content: Any = None) -> Any:
        """Count a call, and return what it shall write."""
        where = self._path(path)
        if where is None:
            return content
        self.calls.append((name, where))
        if len(self.calls) == self._at and self._fault is not None:
            return self._fault(name, where, content)
        return content

    def _path(self, path: Any) -> str | None:
        if isinstance(path, int):
            return self._descriptors.get(path)
        if not isinstance(path, (str, os.PathLike)):
            return None
        where = os.path.abspath(os.fspath(path))
        return where if where.startswith(self._folder) else None

    def __enter__(self) -> Seam:
        opened = self._opens(builtins.open)
        for owner in (builtins, io):
            self._patch(owner, "open", opened)
        self._patch(os, "open", self._opens_descriptor(os.open))
        self._patch(os, "fdopen", self._opens(os.fdopen))
        self._patch(os, "fsync", self._counted("fsync", os.fsync))
        self._patch(os, "write", self._writes(os.write))
        for name in (*_OF_ONE_PATH, *_OF_TWO_PATHS):
            self._patch(os, name, self._counted(name, getattr(os, name)))
        for name in _OF_GFILE:
            self._patch(tf.io.gfile, name, self._counted(name, getattr(tf.io.gfile, name)))
        self._patch(tf.io.gfile, "GFile", _gfile(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.close()

    def _patch(self, owner: Any, name: str, replacement: Any) -> None:
        self._patches.enter_context(mock.patch.object(owner, name, replacement))

    def _counted(self, name: str, original: Any) -> Any:
        def call(path: Any, *arguments: Any, **more: Any) -> Any:
            if more.get("dir_fd") is None:
                self.called(name, path)
            return original(path, *arguments, **more)

        return call

    def _opens(self, original: Any) -> Any:
        def call(path: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
            where = self._path(path)
            if where is None or not set(mode) & set("wax+"):
                return original(path, mode, *arguments, **more)
            self.called("open", path)
            file = original(path, mode, *arguments, **more)
            self._descriptors[file.fileno()] = where
            return _File(file, self, where)

        return call

    def _writes(self, original: Any) -> Any:
        return lambda number, content: original(number, self.called("os.write", number, content))

    def _opens_descriptor(self, original: Any) -> Any:
        def call(path: Any, flags: int, *arguments: Any, **more: Any) -> Any:
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            where = self._path(path) if writes and more.get("dir_fd") is None else None
            if where is not None:
                self.called("os.open", path)
            number = original(path, flags, *arguments, **more)
            self._descriptors[number] = where or ""
            if where is None:
                del self._descriptors[number]
            return number

        return call


class _File:
    """A file of Python whose writing calls are counted."""

    def __init__(self, file: Any, seam: Seam, path: str):
        self.__dict__.update(_file=file, _seam=seam, _path=path)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._file, name)
        if name not in _WRITES or (name == "close" and self._file.closed):
            return found

        def call(*arguments: Any) -> Any:
            written = arguments if name == "write" else ()
            content = self._seam.called(self._named(name), self._path, *written)
            return found(content) if name == "write" else found(*arguments)

        return call

    def _named(self, name: str) -> str:
        """Return the name of a call: the system may take a part of what `raw.write` gives."""
        return "raw.write" if name == "write" and isinstance(self._file, io.RawIOBase) else name

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._file, name, value)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Any:
        return iter(self._file)


def _gfile(seam: Seam) -> type:
    original = tf.io.gfile.GFile

    class Counted(original):  # type: ignore[misc, valid-type]
        """A file of TensorFlow whose writing calls are counted."""

        def __init__(self, name: str, mode: str = "r"):
            self._changes = bool(set(mode) & set("wa+"))
            if self._changes:
                seam.called("GFile", name)
            super().__init__(name, mode)

        def write(self, file_content: Any) -> None:
            super().write(seam.called("GFile.write", self.name, file_content))

        def flush(self) -> None:
            if self._changes:
                seam.called("GFile.flush", self.name)
            super().flush()

        def close(self) -> None:
            if self._changes:
                self._changes = False
                seam.called("GFile.close", self.name)
            super().close()

    return Counted
