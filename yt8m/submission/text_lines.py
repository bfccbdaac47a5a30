"""Text files that are read line by line."""

from __future__ import annotations

from collections.abc import Iterator

from yt8m.errors import UserError


def numbered_lines(path: str, what: str) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) for every line that is not blank.

    Surrounding white space, Windows line ends and a byte-order mark are removed.

    Args:
      path: local or remote (gs://).
      what: description of the file, for error messages.

    Raises:
      UserError: the file is missing or unreadable.
    """
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "r") as source:
            for number, line in enumerate(source, 1):
                line = line.strip().lstrip("\ufeff")
                if line:
                    yield number, line
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        reason = getattr(error, "message", None) or str(error)
        raise UserError(f"cannot read {what} {path!r}: {reason}.") from None


def shortened(line: str, length: int = 60) -> str:
    """Return a line for an error message, cut to `length` characters."""
    return repr(line if len(line) <= length else line[:length] + "...")
