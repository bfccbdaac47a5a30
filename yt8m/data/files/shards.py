"""Shards that comma-separated globs or lists of paths name, local or on gs://."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from yt8m import listing
from yt8m.errors import UserError
from yt8m.files import read_text


def find_shards(pattern: str, flag: str = "--train_data_pattern") -> list[str]:
    """Return the files that a pattern matches, sorted and without duplicates.

    Args:
      pattern: globs, separated by commas; `@FILE` stands for the globs in a text file, one a line,
        such as `yt8m download --list_gs` writes.
      flag: flag that gave the pattern, for messages.

    Raises:
      UserError: a glob matches nothing; the message names the nearest existing folder. Or a list
        cannot be read.
    """
    files: list[str] = []
    for glob, is_listed in _globs(pattern, flag):
        # A list may name thousands of remote files, and each look takes a request.
        if is_listed and "://" in glob and not any(sign in glob for sign in "*?[{"):
            files.append(glob)
            continue
        try:
            found = _files_of(listing.matching(glob))
        except tf.errors.NotFoundError as error:
            raise UserError(
                f"{flag}={glob} matches a file that is not there, such as a link to a file that"
                f" was deleted ({error.message}). Remove it, or name the other files."
            ) from None
        except tf.errors.OpError as error:
            raise UserError(f"{flag}={glob} cannot be listed ({error.message}).") from None
        if not found:
            raise UserError(f"{flag}={glob} matches no file. {_nearest(glob)}")
        files += found
    if not files:
        raise UserError(
            f"{flag} is empty; give a glob of TFRecord files, such as"
            f" {flag}='data/train*.tfrecord'."
        )
    return sorted(set(files))


def _files_of(paths: list[str]) -> list[str]:
    found = listing.statuses(paths)
    return [path for path, status in zip(paths, found) if not status.is_folder]


def _globs(pattern: str, flag: str) -> list[tuple[str, bool]]:
    """Return the globs of a pattern, and whether each comes from a list."""
    globs: list[tuple[str, bool]] = []
    for glob in [g.strip() for g in pattern.split(",") if g.strip()]:
        if not glob.startswith("@"):
            globs.append((glob, False))
            continue
        try:
            lines = [line.strip() for line in read_text(glob[1:]).splitlines()]
        except (tf.errors.OpError, UnicodeDecodeError):
            raise UserError(
                f"{flag}={glob}: {glob[1:]} is not a text file that can be read; `@FILE` stands for"
                " the paths in a file, one a line."
            ) from None
        globs += [(line, True) for line in lines if line and not line.startswith("#")]
    return globs


def _nearest(glob: str) -> str:
    folder = os.path.dirname(glob)
    while folder and not tf.io.gfile.isdir(folder):
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    folder = folder or "."
    if not tf.io.gfile.isdir(folder):
        return f"No part of {folder} exists."
    names = sorted(n.rstrip("/") for n in tf.io.gfile.listdir(folder))
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"The nearest existing folder is {folder}, which contains {shown or 'nothing'}."


def evenly_spaced(files: Sequence[str], count: int) -> list[str]:
    """Return up to `count` of the files, from the first to the last."""
    return sorted({files[i] for i in np.linspace(0, len(files) - 1, count).astype(int)})


def fingerprint(files: list[str]) -> dict[str, object]:
    """Return the number and total bytes of the shards, and a hash of their names and sizes."""
    sizes = listing.sizes(files)
    text = "\n".join(f"{os.path.basename(f)} {s}" for f, s in zip(files, sizes))
    return {
        "shards": len(files),
        "bytes": sum(sizes),
        "sha1": hashlib.sha1(text.encode()).hexdigest(),
    }
