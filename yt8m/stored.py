"""Files that this program wrote itself, read back whatever has become of them since.

A file may be cut off, overwritten or replaced by something else. Whoever reads it names it and says
what to do, in place of one of the many exceptions that such content can raise.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from yt8m.errors import UserError

_LARGEST = 4 << 30  # bytes


class Damaged(UserError):
    """A file of this program that cannot be read."""


@contextlib.contextmanager
def intact(path: str, advice: str) -> Iterator[None]:
    """Turn whatever reading a file raises into an error that names the file.

    Args:
      path: the file.
      advice: what to do, the end of a sentence.

    Raises:
      Damaged: it cannot be read.
    """
    try:
        yield
    except UserError:
        raise
    except PermissionError:
        raise Damaged(
            f"{path} cannot be read (permission denied); change its permissions."
        ) from None
    except Exception as error:  # Damaged content can raise almost any class.
        lines = (getattr(error, "message", None) or str(error)).splitlines()
        why = lines[0][:200] if lines else type(error).__name__
        raise Damaged(f"{path} is damaged or cannot be read ({why}); {advice}") from None


def exists(path: str) -> bool:
    """Return whether something has this name, even a link that leads nowhere.

    Whoever reads it says what is wrong with it.
    """
    import tensorflow as tf

    return bool(tf.io.gfile.exists(path) if "://" in path else os.path.lexists(path))


def check_size(path: str, largest: int = _LARGEST) -> None:
    """Refuse a local file that no reading should begin with, also one named by `file://`.

    Raises:
      ValueError: it is a folder or a device, or larger than `largest` bytes.
      OSError: there is none.
    """
    local = path.removeprefix("file://")
    if "://" in local:
        return
    about = os.stat(local)
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("it is a folder" if stat.S_ISDIR(about.st_mode) else "it is no file")
    if about.st_size > largest:
        raise ValueError(f"it has {about.st_size:,} bytes")


def read_bytes(path: str, largest: int = _LARGEST) -> bytes:
    """Return the content of a file, local or remote; for use within `intact`."""
    import tensorflow as tf

    check_size(path, largest)
    with tf.io.gfile.GFile(path, "rb") as source:
        return source.read()


def read_object(path: str, advice: str) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
      Damaged: there is none.
    """
    with intact(path, advice):
        values = json.loads(read_bytes(path, 1 << 30))
        if not isinstance(values, dict):
            raise ValueError("it contains no JSON object")
        return values


def read_arrays(path: str) -> dict[str, Any]:
    """Return the arrays of an uncompressed .npz file; for use within `intact`."""
    content = read_bytes(path)
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        declared = sum(member.file_size for member in members.infolist())
    if declared > len(content):
        raise ValueError(f"it declares {declared:,} bytes")
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        return {name: found[name] for name in found.files}
