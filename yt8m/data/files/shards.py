"""Shards that comma-separated globs or lists of paths name, local or on gs://."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from yt8m import listing
from yt8m.errors import UserError
from yt8m.files import read_text


class _Glob(NamedTuple):
    """A glob, and how messages name it: by its flag, and by the line of its list."""

    text: str
    named: str
    is_path: bool  # of a list, and without wildcards


def find_shards(pattern: str, flag: str = "--train_data_pattern") -> list[str]:
    """Return the files that a pattern matches, sorted and without duplicates.

    Args:
      pattern: globs, separated by commas; `@FILE` stands for the globs in a text file, one a line,
        such as `yt8m download --list_gs` writes.
      flag: flag that gave the pattern, for messages.

    Raises:
      UserError: a glob matches nothing; the message names the nearest existing folder. Or a list
        cannot be read, or a file that it names; the message names the list's line.
    """
    globs = _globs(pattern, flag)
    files = _listed({glob.text: glob.named for glob in globs if glob.is_path})
    for glob in globs:
        files += [] if glob.is_path else _matched(glob)
    if not files:
        raise UserError(
            f"{flag} is empty; give a glob of TFRecord files, such as"
            f" {flag}='data/train*.tfrecord'."
        )
    return sorted(set(files))


def _matched(glob: _Glob) -> list[str]:
    try:
        paths = listing.matching(glob.text)
        statuses = listing.statuses(paths)
    except tf.errors.NotFoundError as error:
        raise UserError(
            f"{glob.named} matches a file that is not there, such as a link to a file that"
            f" was deleted ({error.message}). Remove it, or name the other files."
        ) from None
    except tf.errors.OpError as error:
        raise UserError(f"{glob.named} cannot be listed ({error.message}).") from None
    found = [path for path, status in zip(paths, statuses) if not status.is_folder]
    if not found:
        raise UserError(f"{glob.named} matches no file. {_nearest(glob.text)}")
    return found


def _listed(named: dict[str, str]) -> list[str]:
    """Return the paths of lists, which may be thousands of remote ones, once all were looked at.

    Args:
      named: path -> how a message names it.
    """
    for path, found in listing.look(list(named)):
        if isinstance(found, tf.errors.NotFoundError):
            raise UserError(
                f"{named[path]} does not exist. {_nearest(path)} Correct the line, or remove it."
            )
        if isinstance(found, tf.errors.OpError):
            raise UserError(
                f"{named[path]} cannot be read ({found.message}). Correct the line, or remove it."
            )
        if found.is_folder:
            raise UserError(
                f"{named[path]} is a folder; name its files, such as {path.rstrip('/')}/*.tfrecord."
            )
    return list(named)


def _globs(pattern: str, flag: str) -> list[_Glob]:
    globs: list[_Glob] = []
    for glob in [g.strip() for g in pattern.split(",") if g.strip()]:
        if not glob.startswith("@"):
            globs.append(_Glob(glob, f"{flag}={glob}", is_path=False))
            continue
        try:
            lines = [line.strip() for line in read_text(glob[1:]).splitlines()]
        except (tf.errors.OpError, UnicodeDecodeError):
            raise UserError(
                f"{flag}={glob}: {glob[1:]} is not a text file that can be read; `@FILE` stands for"
                " the paths in a file, one a line."
            ) from None
        for number, line in enumerate(lines, 1):
            if line and not line.startswith("#"):
                is_path = not any(sign in line for sign in "*?[{")
                globs.append(_Glob(line, f"{flag}={glob}, line {number}: {line}", is_path))
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
