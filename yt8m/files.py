"""Small text and JSON files, local or remote, and writers that never leave half a file.

A file gets its name only when it is complete, so a kill loses the new file and keeps the old one.
`WholeFile` streams a long text; the functions read and write short ones. All of them import
TensorFlow when they are called, so that importing this module stays cheap.
"""

from __future__ import annotations

import abc
import contextlib
import glob
import json
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, Any, TypeVar

from yt8m import locks
from yt8m.errors import UserError
from yt8m.output_paths import check_replaceable
from yt8m.process.answered_signals import held
from yt8m.text_lines import check_readable, decoded, parsed_json

_Writer = TypeVar("_Writer", bound="AtomicWriter")
_UNFINISHED = ".tmp"
_LONGEST_TEXT = 8 << 30  # bytes


class CannotGoOn(Exception):
    """What a killed process has left is not what was noted of it; the message says why."""


def read_text(path: str) -> str:
    """Return the text of a file, local or remote (gs://), without a byte-order mark.

    Raises:
      NotText: it is neither UTF-8 nor marked as UTF-16.
      UserError: it is a pipe that nothing may ever write to, or no memory could hold it.
    """
    import tensorflow as tf

    check_readable(path, _LONGEST_TEXT)
    with tf.io.gfile.GFile(path, "rb") as source:
        return decoded(source.read())


def read_json(path: str) -> Any:
    """Return the contents of a JSON file.

    Raises:
      ValueError: the file is not JSON.
    """
    return parsed_json(read_text(path))


def temporary(path: str) -> str:
    """Return a name for a file until it is complete, which no other writer of `path` has."""
    return f"{path}.{uuid.uuid4().hex[:8]}{_UNFINISHED}"


def remove_unfinished(path: str) -> None:
    """Remove what killed writers of a local file left; for the holder of the file's lock."""
    for left in glob.glob(f"{glob.escape(path)}.*{_UNFINISHED}"):
        with contextlib.suppress(OSError):
            os.remove(left)


def remove_unfinished_in(folder: str) -> None:
    """Remove what killed writers left in a folder; for the holder of the folder's lock."""
    import tensorflow as tf

    with contextlib.suppress(tf.errors.OpError, OSError):
        for name in tf.io.gfile.listdir(folder):
            if name.endswith(_UNFINISHED):
                tf.io.gfile.remove(os.path.join(folder, name))


@contextlib.contextmanager
def whole(path: str) -> Iterator[str]:
    """Yield a name for a file, local or remote, that gets its own name when the block is complete.

    If the block raises an exception, what it has written is removed.

    Raises:
      UserError: a device or a pipe has the name.
      OSError: the operating system refuses something; the error names the path.
      tf.errors.OpError: TensorFlow's file system does.
    """
    import tensorflow as tf

    check_replaceable(path)
    unfinished = temporary(path)
    try:
        with naming(path):
            yield unfinished
            tf.io.gfile.rename(unfinished, path, overwrite=True)
    except BaseException:
        with held(), contextlib.suppress(tf.errors.OpError, OSError):
            tf.io.gfile.remove(unfinished)
        raise


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Let errors of the operating system name a path: writing to an open file raises them bare."""
    try:
        yield
    except OSError as error:
        own = str(error.filename or "")
        if error.errno is not None and (not own or own.startswith(f"{path}.")):
            error.filename = path  # not that of the unfinished file
        raise


def write_bytes(path: str, content: bytes) -> None:
    """Write a file that gets its name only when complete; an older file stays until then."""
    import tensorflow as tf

    with whole(path) as unfinished, tf.io.gfile.GFile(unfinished, "wb") as out:
        out.write(content)


def write_text(path: str, text: str) -> None:
    """Write a text file that gets its name only when complete."""
    write_bytes(path, text.encode())


def write_json(path: str, values: Any, indent: int | None = 1) -> None:
    """Write `values` as JSON with a final newline; NumPy numbers become floats."""
    write_text(path, json.dumps(values, indent=indent, default=float) + "\n")


def lock(out: IO[Any]) -> bool:
    """Lock an open file until it is closed; return False if another process has locked it.

    A file system or an operating system without such locks refuses nobody.
    """
    try:
        import fcntl

        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        pass
    return True


def _remove_pipe(path: str) -> None:
    """Remove a pipe or a link that leads nowhere, which to open would never end or fail."""
    if "://" in path or not os.path.lexists(path):
        return
    if not os.path.exists(path) or stat.S_ISFIFO(os.stat(path).st_mode):
        os.remove(path)


def cut_to(path: str, size: int) -> None:
    """Cut a local file, which a killed process has left, to the bytes that it had at some moment.

    Raises:
      CannotGoOn: the file is not there, or has fewer bytes.
    """
    try:
        found = os.path.getsize(path)
        if found < size:
            raise CannotGoOn(f"{path} has {found:,} bytes, not {size:,}")
        os.truncate(path, size)
    except OSError as error:
        raise CannotGoOn(f"{path} cannot be opened ({error.strerror})") from None


class AtomicWriter(abc.ABC):
    """A writer whose output appears under its name only when it is whole.

    As a context manager it calls `close` at the end of the block, or `abandon` if the block raises.
    """

    @abc.abstractmethod
    def close(self) -> None:
        """Complete the output and give it its name."""

    @abc.abstractmethod
    def abandon(self) -> None:
        """Delete what was written; an older output under the name stays."""

    def __enter__(self: _Writer) -> _Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with held():  # A signal in the middle of either would leave half of it.
            if kind:
                self.abandon()
            else:
                self.close()


class WholeFile(AtomicWriter):
    """A text file that is written to `path + ".partial"` and renamed by `close()`.

    An existing file at `path` is replaced only then; of a link, the file that it leads to. Opening
    it writes to the disk, so that an unwritable place is reported before any work is done. No other
    process can open it meanwhile.

    Args:
      path: local or remote (gs://).
      flag: flag that error messages name.
      at: bytes of the unfinished file of a killed process after which to go on; None starts from
        the beginning.
      what: the kind of file, for the message; see `yt8m.output_paths.check_replaceable`.
      heads: how such files begin.

    Raises:
      UserError: the path cannot be written, or another process is writing it.
      CannotGoOn: there is no such unfinished file.
    """

    def __init__(
        self,
        path: str,
        flag: str = "--output_file",
        at: int | None = None,
        what: str = "",
        heads: Iterable[str] = (),
    ):
        import tensorflow as tf

        self._errors = (tf.errors.OpError, OSError)
        if not path or tf.io.gfile.isdir(path):
            raise UserError(f"{flag}={path!r} is {'a folder' if path else 'empty'}; name a file.")
        check_replaceable(path, flag, what, heads)
        if "://" not in path and os.path.islink(path):
            path = os.path.realpath(path)
        self.path, self._flag, self._partial = path, flag, path + ".partial"
        self._gfile = tf.io.gfile
        self._open = False
        with contextlib.ExitStack() as locked:
            locked.enter_context(locks.held(locks.beside(path), f"{flag}={path}"))
            if at is not None:
                cut_to(self._partial, at)
            try:
                tf.io.gfile.makedirs(os.path.dirname(path) or ".")
                _remove_pipe(self._partial)
                self._out = tf.io.gfile.GFile(self._partial, "w" if at is None else "a")
                self._out.write("")
                self._out.flush()
            except self._errors as error:
                raise self._unwritable(error) from None
            self._locked = locked.pop_all()
        self._open = True

    def write(self, text: str) -> None:
        """Append text."""
        try:
            self._out.write(text)
        except self._errors as error:
            raise self._unwritable(error) from None

    def position(self) -> int | None:
        """Return the bytes that were written, once they are on the disk; None for a remote file.

        A file in a bucket can neither be cut nor appended to.
        """
        if "://" in self.path:
            return None
        try:
            self._out.flush()
            with open(self._partial, "rb+") as written:
                os.fsync(written.fileno())
            return os.path.getsize(self._partial)
        except self._errors as error:
            raise self._unwritable(error) from None

    def close(self) -> None:
        """Finish the file and give it its name."""
        if not self._open:
            return
        self._open = False
        with self._locked:
            try:
                self._out.close()
                self._gfile.rename(self._partial, self.path, overwrite=True)
            except self._errors as error:
                raise self._unwritable(error) from None

    def abandon(self) -> None:
        """Delete what was written; an older file under the name stays."""
        if self._open:
            self._open = False
            with self._locked:
                self._out.close()
                self._gfile.remove(self._partial)

    def leave(self) -> None:
        """Close the file without giving it its name, so that it can be gone on with."""
        if self._open:
            self._open = False
            with self._locked:
                self._out.close()

    def _unwritable(self, error: BaseException) -> UserError:
        reason = getattr(error, "message", None) or str(error)
        return UserError(
            f"cannot write {self.path!r}: {reason}. Set {self._flag} to a writable path."
        )
