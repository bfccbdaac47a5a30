"""Video ids as text: TensorFlow returns bytes, and files hold text."""

from __future__ import annotations

import array
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from yt8m.errors import UserError
from yt8m.files import cut_to

USE_SCORES = "use --output_scores instead of --output_file, or rename the video."
ID_BYTES = 8  # of an id and its line end, about: an id of the release has 4 characters, or 11


def as_text(video: object) -> str:
    r"""Return an id as str.

    Bytes are decoded as UTF-8; a byte that is not UTF-8 becomes `\xff`, so that different ids stay
    different.
    """
    return video.decode("utf-8", "backslashreplace") if isinstance(video, bytes) else str(video)


def as_texts(ids: Iterable[object]) -> list[str]:
    """Return ids as str; see `as_text`."""
    return [as_text(i) for i in ids]


def refuse_signs(texts: Sequence[str], signs: str, what: str, instead: str) -> None:
    """Refuse ids with which a file could not be read again.

    Args:
      texts: ids.
      signs: a regular expression of what an id must not contain, in ids joined by null characters.
      what: these signs and the file, for the message.
      instead: what to do.

    Raises:
      UserError: it names the first such id.
    """
    found = re.compile(signs)
    if not found.search("\0".join(texts)):  # which takes a tenth of the time
        return
    bad = next((text for text in texts if found.search(text)), None)
    if bad is not None:
        raise UserError(f"the video id {bad!r} contains {what}; {instead}")


def is_empty(text: str) -> bool:
    """Whether an id identifies no video: "", or ":5" for a segment."""
    return not text or text[0] == ":"


def refuse_empty(texts: Sequence[str]) -> None:
    """Refuse ids that do not identify a video.

    Raises:
      UserError: an id is empty, as all ids are in late copies of the 2017 release
        (docs/sources.md#releases).
    """
    empty = sum(map(is_empty, texts))
    if empty:
        raise UserError(
            f"{empty} of {len(texts)} videos have an empty id, as in late copies of the 2017"
            " release, and every line of a submission needs an id. Use --output_scores instead of"
            " --output_file: it keeps all scores in the order of the records."
        )


class IdWatch:
    """Counts ids that are empty or that repeat an earlier one.

    It keeps a 64-bit hash of each id, not the id.

    Args:
      path: local file for the hashes, with which another process can go on; "" keeps none.
      at: position in the file of a killed process; None starts from the beginning.

    Raises:
      CannotGoOn: the file is not there.
    """

    def __init__(self, path: str = "", at: dict[str, Any] | None = None) -> None:
        self._path, self._new = path, array.array("Q")  # the hashes that are not in the file yet
        self._seen: set[int] = set()
        self._count = self._empty = self._repeated = 0
        self._example = ""
        if at is not None:
            cut_to(path, 8 * at["kept"])
            self._seen = set(np.fromfile(path, np.uint64).tolist())
            self._count, self._empty, self._repeated = at["count"], at["empty"], at["repeated"]
            self._example = at["example"]
        elif path:
            open(path, "wb").close()

    def add(self, texts: Iterable[str]) -> None:
        """Add more ids."""
        for text in texts:
            self._count += 1
            # Python's own hash of a text differs from process to process.
            digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            known = int.from_bytes(digest, "little")
            if is_empty(text):
                self._empty += 1
            elif known in self._seen:
                self._repeated += 1
                self._example = self._example or text
            else:
                self._seen.add(known)
                if self._path:
                    self._new.append(known)

    def position(self) -> dict[str, Any]:
        """Return the counts as JSON values, once the hashes are on the disk."""
        with open(self._path, "ab") as out:
            self._new.tofile(out)
            out.flush()
            os.fsync(out.fileno())
        self._new = array.array("Q")
        return {
            "kept": len(self._seen),
            "count": self._count,
            "empty": self._empty,
            "repeated": self._repeated,
            "example": self._example,
        }

    def warnings(self) -> list[str]:
        """Return up to two lines: one if ids are empty, one if ids repeat."""
        found = []
        if self._empty:
            found.append(
                f"warning: {self._empty:,} of {self._count:,} ids are empty, as in late copies of"
                " the 2017 release; only their order distinguishes these videos."
            )
        if self._repeated:
            found.append(
                f"warning: {self._repeated:,} of {self._count:,} ids repeat an earlier one, first"
                f" {self._example!r}; a submission must list each video once, so name each record"
                " file once."
            )
        return found
