"""Text as people's programs save it: with or without a byte-order mark, with any line ends.

Every reader of a CSV, a list or a vocabulary decodes here, so that all of them take the same files
and describe the others in the same words.
"""

from __future__ import annotations

import codecs
import csv
import functools
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from typing import IO, Any

from absl import logging

from yt8m.errors import UserError
from yt8m.process.guard import reason

_BLOCK = 1 << 20  # bytes that are read together
_LONGEST_LINE = 32 << 20  # bytes
_ENDLESS = ("/dev/zero", "/dev/random", "/dev/urandom", "/dev/full")
_SHOWN = 40  # letters of a last line that has no end
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _TooLong(Exception):
    """A line has more bytes than `_LONGEST_LINE`."""


class NotText(UnicodeDecodeError):
    """The bytes of a file are not UTF-8."""

    @property
    def message(self) -> str:
        """What was found and what to do, as the errors of TensorFlow's file systems have it."""
        return not_text(self)


def not_text(error: UnicodeDecodeError) -> str:
    """Return why a file is not read, and what to do, as part of a message."""
    if b"\0" in error.object:
        return "it is not text"
    near = error.object[max(0, error.start - 20) : error.start + 20].decode("latin-1")
    return (
        f"it is not UTF-8 text: the byte 0x{error.object[error.start]:02x} in {near!r} is how"
        " Latin-1 and Windows-1252 write a letter; save it as UTF-8"
    )


def encoding_of(start: bytes) -> str:
    """Return the encoding of a file by its first bytes: UTF-16 if they mark it, or else UTF-8."""
    return "utf-16" if start.startswith(_UTF16) else "utf-8-sig"


def decoded(content: bytes) -> str:
    """Return the text of a file without its byte-order mark.

    Raises:
      NotText: it is neither UTF-8 nor marked as UTF-16.
    """
    try:
        return content.decode(encoding_of(content))
    except UnicodeDecodeError as error:
        raise NotText(error.encoding, content, error.start, error.end, error.reason) from None


def check_readable(path: str, most_bytes: float = math.inf) -> None:
    """Refuse what would be read for ever; a shell's own pipes are below /dev or /proc.

    Args:
      path: a text file, local or remote.
      most_bytes: the most that it may have.

    Raises:
      UserError: it is a device, a pipe that nothing may ever write to, or larger.
    """
    try:
        about = os.stat(path)
    except OSError:
        return  # TensorFlow reports what is not there, and reads what is remote.
    if stat.S_ISFIFO(about.st_mode) and not path.startswith(("/dev/", "/proc/")):
        raise UserError(f"{path} is a pipe; expected a text file.")
    if stat.S_ISCHR(about.st_mode) and os.path.realpath(path) in _ENDLESS:
        raise UserError(f"{path} has no end; expected a text file.")
    if about.st_size > most_bytes:
        raise UserError(f"{path} has {about.st_size:,} bytes; expected a text file.")


def numbered_lines(path: str, what: str, says_cut: bool = True) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) for every line that is not blank.

    Surrounding white space, line ends of any system and a byte-order mark are removed. A warning
    says that the last line has no end, since a number in it may have been cut off.

    Args:
      path: local or remote (gs://).
      what: description of the file, for error messages.
      says_cut: False if a line that was cut off is no line of its kind.

    Raises:
      UserError: the file is missing or unreadable, or is not text.
    """
    import tensorflow as tf

    check_readable(path)
    try:
        with tf.io.gfile.GFile(path, "rb") as source:
            for number, line in enumerate(_lines(source), 1):
                if line := line.strip():
                    yield number, line
            if line and says_cut:
                _say_cut(path, line)
    except (tf.errors.OpError, NotText) as error:
        raise UserError(f"cannot read {what} {path!r}: {reason(error)}.") from None
    except _TooLong:
        raise UserError(
            f"cannot read {what} {path!r}: a line has more than {_LONGEST_LINE:,} bytes, so that it"
            " is not text."
        ) from None


@functools.lru_cache(maxsize=1000)  # a file is read more than once
def _say_cut(path: str, line: str) -> None:
    logging.warning(
        "%s does not end with a line break. If it was cut off, so may be a number in its last"
        " line: %s",
        path,
        repr(line if len(line) <= _SHOWN else "..." + line[-_SHOWN:]),
    )


def _lines(source: IO[bytes]) -> Iterator[str]:
    """Yield the lines of a file; those of TensorFlow's reader lose each carriage return."""
    block = source.read(_BLOCK)
    if encoding_of(block) == "utf-16":
        yield from re.split("\r\n|\r|\n", decoded(block + source.read()))
        return
    block, rest = block.removeprefix(codecs.BOM_UTF8), b""
    while block:
        if block.endswith(b"\r"):  # whose line feed may follow
            block += source.read(1)
        *lines, rest = re.split(b"\r\n|\r|\n", rest + block)
        yield from map(decoded, lines)
        if len(rest) > _LONGEST_LINE:
            raise _TooLong
        block = source.read(_BLOCK)
    yield decoded(rest)


def parsed_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
      ValueError: it is not JSON, or is nested more deeply than Python reads.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def cells_of(line: str) -> list[str]:
    """Return the cells of a line of a CSV.

    Raises:
      ValueError: a cell is longer than Python reads.
    """
    try:
        return next(csv.reader([line]), [])
    except csv.Error as error:
        raise ValueError(str(error)) from None


def shortened(line: str, length: int = 60) -> str:
    """Return a line for an error message, cut to `length` characters."""
    return repr(line if len(line) <= length else line[:length] + "...")
