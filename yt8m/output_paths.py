"""Which paths a command may write to, asked before it does any work.

An output must not take the place of an input or of another output, nor of a file of another kind,
such as a shard of records or the settings of a run.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Mapping

from yt8m.errors import UserError

_HEAD = 64  # bytes that show the kind of a file


def check_apart(outputs: Mapping[str, str], inputs: Mapping[str, Iterable[str]]) -> None:
    """Refuse outputs that would replace an input or one another.

    Args:
      outputs: flag -> the path it gives; an empty one is left out.
      inputs: flag -> the files that it gives, and the folders of whose files none may be replaced.

    Raises:
      UserError: two paths are one.
    """
    flags: dict[str, str] = {}
    for flag, path in outputs.items():
        if not path:
            continue
        place = _place(path)
        if place in flags:
            raise UserError(f"{flags[place]} and {flag} both name {path}; name another for one.")
        flags[place] = flag
    # Each output is looked at once: there may be thousands of inputs, on a slow file system.
    leads_to = {place: place if "://" in place else os.path.realpath(place) for place in flags}
    for flag, paths in inputs.items():
        for path in paths:
            given = _place(path)
            for place, output in flags.items():
                is_one = given in (place, leads_to[place]) or place.startswith(given + os.sep)
                if is_one or _are_links_of_a_name(place, given):
                    raise UserError(
                        f"{output}={outputs[output]} is also an input, of {flag}, and would replace"
                        " it; name another path."
                    )


def named_files(text: str) -> list[str]:
    """Return the local files that a flag's paths or globs name, for `check_apart`."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [path for part in parts for path in (glob.glob(part) or [part])]


def check_replaceable(path: str, flag: str = "", what: str = "", heads: Iterable[str] = ()) -> None:
    """Refuse what a new file must not replace: a device, a pipe, or a file of another kind.

    Args:
      path: local or remote.
      flag: flag that gave the path, for the message.
      what: the kind of file that is written, for the message.
      heads: texts with one of which such a file begins, in lower case; nothing is asked if there is
        none, nor of an empty file.

    Raises:
      UserError: it is one.
    """
    if "://" in path or not os.path.exists(path) or os.path.isdir(path):
        return
    named = f"{flag}{'=' if flag else ''}{path}"
    if not os.path.isfile(path):
        raise UserError(
            f"{named} is a device or a pipe, and would be replaced by a file; name a file."
        )
    heads = tuple(heads)
    if not heads or not os.access(path, os.R_OK):
        return
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if head and not _text(head).startswith(heads):
        raise UserError(
            f"{named} exists and is not {what}, so it is not replaced; name another path, or delete"
            " it."
        )


def _text(head: bytes) -> str:
    """Return the first bytes of a file as text in lower case, a byte-order mark left out."""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if head[:2] == b"\x1f\x8b":
        encoding = "latin-1"
    return head.decode(encoding, "replace").lower()


def _place(path: str) -> str:
    return path if "://" in path else os.path.abspath(path)


def _are_links_of_a_name(place: str, given: str) -> bool:
    """Whether two paths that end in the same name are one local file."""
    if os.path.basename(place) != os.path.basename(given):
        return False
    try:
        here, there = os.stat(place), os.stat(given)
    except OSError:
        return False
    return stat.S_ISREG(here.st_mode) and os.path.samestat(here, there)
