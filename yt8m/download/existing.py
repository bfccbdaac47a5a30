"""What is already there: which files are complete, wrong, or in the way."""

from __future__ import annotations

import os
from collections.abc import Sequence

from yt8m.download.settings import DownloadSettings
from yt8m.download.verify import Item, problem_of
from yt8m.errors import UserError


def size_on_disk(path: str) -> int:
    """Return the size of a file in bytes, 0 if there is none."""
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def missing_of(items: Sequence[Item], settings: DownloadSettings) -> list[Item]:
    """Return the files that are not complete under their final names.

    Raises:
      UserError: a file has another size than the published one, and may be the user's own.
    """
    if settings.existing == "replace":
        return list(items)
    there = [item for item in items if os.path.exists(item.path)]
    if settings.existing == "repair":
        _remove_wrong(there, settings.check)
    else:
        _refuse_wrong(there)
    return [item for item in items if not os.path.exists(item.path)]


def _remove_wrong(there: Sequence[Item], check_record: bool) -> None:
    print(f"reading {len(there)} existing files", flush=True)
    for item in there:
        problem = problem_of(item.path, item, check_record)
        if problem:
            print(f"{item.path}: {problem}; it is downloaded again", flush=True)
            os.remove(item.path)


def _refuse_wrong(there: Sequence[Item]) -> None:
    wrong = [i for i in there if i.size is not None and size_on_disk(i.path) != i.size]
    if wrong:
        raise UserError(
            f"{len(wrong)} existing files do not have the published size; the first is"
            f" {wrong[0].path}, with {size_on_disk(wrong[0].path)} bytes instead of"
            f" {wrong[0].size}. Choose another --out_dir, or have such files downloaded again"
            " with --existing=repair."
        )
