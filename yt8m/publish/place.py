"""The place of a published folder: what may be overwritten, and how it is written whole."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

from yt8m import locks
from yt8m.errors import UserError
from yt8m.process.answered_signals import held
from yt8m.process.guard import reason
from yt8m.runs.folder import PUBLICATION, RunFolder


def sums(folder: str, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of some files in a folder, by name."""
    sums = {}
    for name in sorted(names):
        digest = hashlib.sha256()
        with open(os.path.join(folder, name), "rb") as f:
            while chunk := f.read(1 << 20):
                digest.update(chunk)
        sums[name] = digest.hexdigest()
    return sums


def check_place(out_dir: str, kind: dict[str, Any]) -> None:
    """Refuse a folder that holds anything but an unchanged publication of the same kind."""
    if "://" in out_dir:
        raise UserError(f"--out_dir={out_dir}: name a folder on this machine.")
    if not os.path.lexists(out_dir):
        return
    if not os.path.isdir(out_dir):
        raise UserError(f"--out_dir={out_dir} is a file; name a folder.")
    names = set(os.listdir(out_dir))
    if not names:
        return
    about = RunFolder(out_dir).publication()
    if about is None:
        raise UserError(
            f"--out_dir={out_dir} contains {', '.join(sorted(names)[:5])} and was not made by this"
            " command; name a new folder."
        )
    if {key: about.get(key) for key in kind} != kind:
        raise UserError(
            f"--out_dir={out_dir} contains a published {about['model']} of"
            f" {about['num_classes']:,} classes, and this run is a {kind['model']} of"
            f" {kind['num_classes']:,}; name another folder."
        )
    expected = about["files"]
    added = sorted(names - {PUBLICATION, *expected})
    present = {n for n in names if os.path.isfile(os.path.join(out_dir, n))}
    if not added:
        now = sums(out_dir, present & set(expected))
        added = sorted(n for n, found in now.items() if found != expected[n])
    if added:
        raise UserError(
            f"--out_dir={out_dir} contains an earlier publication to which somebody added, or in"
            f" which somebody changed, {', '.join(added[:5])}; it is not overwritten. Name another"
            " folder, or delete this one."
        )


@contextlib.contextmanager
def whole_folder(out_dir: str) -> Iterator[str]:
    """Yield a new folder, which takes the place of `out_dir` when the block is complete.

    Raises:
      UserError: it cannot be written.
    """
    target = os.path.abspath(out_dir)
    above, prefix = os.path.dirname(target), f".{os.path.basename(target)}.new."
    try:
        os.makedirs(above, exist_ok=True)
        with (
            locks.held(locks.beside(target), f"--out_dir={out_dir}"),
            tempfile.TemporaryDirectory(prefix=prefix, dir=above) as scratch,
        ):
            for left in glob.glob(os.path.join(glob.escape(above), f"{glob.escape(prefix)}*")):
                if left != scratch:  # of a process that was killed
                    shutil.rmtree(left, ignore_errors=True)
            folder = os.path.join(scratch, "new")
            os.mkdir(folder)
            yield folder
            with held():
                _take_place(folder, target, os.path.join(scratch, "old"))
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"--out_dir={out_dir} cannot be written ({reason(error)}); name another folder."
        ) from None


def _take_place(folder: str, target: str, aside: str) -> None:
    """Rename `folder` to `target`, and move what is there to `aside`."""
    replaces = os.path.lexists(target)
    if replaces:
        os.rename(target, aside)
    try:
        os.rename(folder, target)
    except OSError:
        if replaces:
            os.rename(aside, target)
        raise
