"""Shards that comma-separated globs or lists of paths name, local or on gs://."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from yt8m import listing
from yt8m.errors import UserError
from yt8m.files import read_text
from yt8m.process.guard import reason

_ENDINGS = (".tfrecord", ".tfrecords", ".pb", ".npy", ".npz", ".csv", ".parquet", ".json")


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
    sizes = _listed({glob.text: glob.named for glob in globs if glob.is_path})
    for glob in globs:
        sizes.update({} if glob.is_path else _matched(glob))
    if not sizes and pattern.strip().startswith("@"):
        raise UserError(f"{flag}={pattern}: {pattern.strip()[1:]} lists no file, one a line.")
    if not sizes:
        raise UserError(
            f"{flag} is empty; give a glob of TFRecord files, such as"
            f" {flag}='data/train*.tfrecord'."
        )
    empty = [path for path in sorted(sizes) if not sizes[path]]
    _refuse_pipes(empty, flag)
    _say_empty(empty, flag)
    return sorted(sizes)


def _refuse_pipes(files: list[str], flag: str) -> None:
    """Refuse what has no size because it is no file: it could be read once, or never ends."""
    for path in files:
        if "://" not in path and os.path.exists(path) and not os.path.isfile(path):
            raise UserError(
                f"{flag}: {path} is a pipe or a device, and records are read more than once; name"
                " files."
            )


def _say_empty(files: list[str], flag: str) -> None:
    """Say which shards have no byte: that is no error, but their records may be missing."""
    if files and listing.is_news(f"{flag} {files}"):
        what = (
            f"{files[0]} is" if len(files) == 1 else f"{files[0]} and {len(files) - 1:,} more are"
        )
        logging.warning(
            "%s: %s empty (0 bytes) and without a record; get such a file again if it should have"
            " some.",
            flag,
            what,
        )


def _matched(glob: _Glob) -> dict[str, int]:
    """Return the files that a glob matches, and their sizes."""
    try:
        paths = listing.matching(glob.text) or _literal(glob.text)
        statuses = listing.statuses(paths)
    except tf.errors.NotFoundError as error:
        raise UserError(
            f"{glob.named} matches a file that is not there, such as a link to a file that"
            f" was deleted ({reason(error)}). Remove it, or name the other files."
        ) from None
    except tf.errors.OpError as error:
        raise UserError(f"{glob.named} cannot be listed ({reason(error)}).") from None
    found = {path: s.size for path, s in zip(paths, statuses) if not s.is_folder}
    if not found:
        raise UserError(f"{glob.named} {_why_nothing(glob.text, paths)}")
    return found


def _literal(glob: str) -> list[str]:
    """Return what a glob that matches nothing names if its [ ] are not wildcards, or its ~ is one.

    Folders are called `run[1]`, and a shell expands no ~ behind the = of a flag.
    """
    home = os.path.expanduser(glob)
    if home != glob:
        return listing.matching(home) or _literal(home)
    if tf.io.gfile.exists(glob):
        return [glob]
    folder, name = os.path.split(glob)
    if "[" not in folder or not tf.io.gfile.isdir(folder):
        return []
    return listing.matching(os.path.join(re.sub(r"([\[\]*?])", r"\\\1", folder), name))


def _why_nothing(glob: str, folders: list[str]) -> str:
    """Return why a glob has no file, and what to write instead."""
    if folders:
        folder = folders[0].rstrip("/")
        names = sorted(n for n in tf.io.gfile.listdir(folder) if not n.endswith("/"))
        ending = next((e for e in _ENDINGS if any(n.endswith(e) for n in names)), "")
        what = "is a folder" if folder == glob.rstrip("/") else f"matches no file but {folder}"
        inside = f"It contains {_shown(names)}."
        if len(folders) > 1:
            what = f"matches {len(folders):,} folders and no file"
            folder, inside = glob.rstrip("/"), f"{folder} contains {_shown(names)}."
        return f"{what}; name the files inside, such as '{folder}/*{ending}'. {inside}"
    if os.path.islink(glob):
        return f"is a link to a file that is not there ({os.path.realpath(glob)})."
    hint = ""
    if "{" in glob or "}" in glob:
        hint = " Braces are not expanded; separate several patterns by commas."
    elif "**" in glob:
        hint = " Here ** stands for one folder, not for any number; write a * for each level."
    return f"matches no file. {_nearest(glob)}{hint}"


def _listed(named: dict[str, str]) -> dict[str, int]:
    """Return the sizes of the files in lists, which may be thousands of remote ones.

    Args:
      named: path -> how a message names it.
    """
    sizes: dict[str, int] = {}
    for path, found in listing.look(list(named)):
        if isinstance(found, tf.errors.NotFoundError):
            raise UserError(
                f"{named[path]} does not exist. {_nearest(path)} Correct the line, or remove it."
            )
        if isinstance(found, tf.errors.OpError):
            raise UserError(
                f"{named[path]} cannot be read ({reason(found)}). Correct the line, or remove it."
            )
        if found.is_folder:
            raise UserError(
                f"{named[path]} is a folder; name its files, such as {path.rstrip('/')}/*.tfrecord."
            )
        sizes[path] = found.size
    return sizes


def _globs(pattern: str, flag: str) -> list[_Glob]:
    globs: list[_Glob] = []
    for glob in _split(pattern):
        if not glob.startswith("@"):
            globs.append(_Glob(glob, f"{flag}={glob}", is_path=False))
            continue
        try:
            lines = [line.strip() for line in read_text(glob[1:]).splitlines()]
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            raise UserError(
                f"{flag}={glob}: {glob[1:]} is not a text file that can be read"
                f" ({getattr(error, 'message', error)}); `@FILE` stands for the paths in a file,"
                " one a line."
            ) from None
        for number, line in enumerate(lines, 1):
            if line and not line.startswith("#"):
                is_path = not any(sign in line for sign in "*?[{")
                globs.append(_Glob(line, f"{flag}={glob}, line {number}: {line}", is_path))
    return globs


def _split(pattern: str) -> list[str]:
    """Return the globs of a pattern; commas separate them, but for those in the name of a file."""
    whole = pattern.strip()
    if "," in whole and whole and tf.io.gfile.exists(whole):
        return [whole]
    return [glob.strip() for glob in pattern.split(",") if glob.strip()]


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
    return f"The nearest existing folder is {folder}, which contains {_shown(names)}."


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more if names else "nothing"


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
