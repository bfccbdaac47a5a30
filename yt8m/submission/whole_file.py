"""A text file that appears under its name only when whole, so that a killed run leaves nothing that looks done."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Optional, Type

from yt8m.errors import UserError


class WholeFile:
    """Text that goes to `path + ".partial"` and is renamed by `close()`; an existing `path` is replaced only then.

    Opening it writes to the disk, so that an unwritable place is told before any work is done.

    Args:
      path: local or remote (gs://).
      flag: names the place in messages.

    Raises:
      UserError: the place cannot be written to.
    """

    def __init__(self, path: str, flag: str = "--output_file"):
        import tensorflow as tf

        self.path, self._flag, self._partial = path, flag, path + ".partial"
        self._errors = (tf.errors.OpError, OSError)
        if not path or tf.io.gfile.isdir(path):
            raise UserError(f"{flag}={path!r} is {'a folder' if path else 'empty'}; name a file.")
        self._gfile = tf.io.gfile
        self._open = False
        try:
            tf.io.gfile.makedirs(os.path.dirname(path) or ".")
            self._out = tf.io.gfile.GFile(self._partial, "w")
            self._out.write("")
            self._out.flush()
        except self._errors as error:
            raise self._unwritable(error) from None
        self._open = True

    def write(self, text: str) -> None:
        """Append text."""
        try:
            self._out.write(text)
        except self._errors as error:
            raise self._unwritable(error) from None

    def close(self) -> None:
        """Finish the file and give it its name."""
        if not self._open:
            return
        self._open = False
        try:
            self._out.close()
            self._gfile.rename(self._partial, self.path, overwrite=True)
        except self._errors as error:
            raise self._unwritable(error) from None

    def abandon(self) -> None:
        """Delete what was written; an older file under the name stays."""
        if self._open:
            self._open = False
            self._out.close()
            self._gfile.remove(self._partial)

    def __enter__(self) -> "WholeFile":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.abandon() if kind else self.close()

    def _unwritable(self, error: BaseException) -> UserError:
        reason = getattr(error, "message", None) or str(error)
        return UserError(f"cannot write {self.path!r}: {reason}. Give {self._flag} a place that can be written to.")
