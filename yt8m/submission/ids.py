"""Video ids as text: TensorFlow returns bytes, and files hold text."""

from __future__ import annotations

from collections.abc import Iterable

from yt8m.errors import UserError

ID_BYTES = 8  # of an id and its line end, about: an id of the release has 4 characters, or 11


def as_text(video: object) -> str:
    r"""Return an id as str.

    Bytes are decoded as UTF-8; a byte that is not UTF-8 becomes `\xff`, so that different ids stay
    different.
    """
    return video.decode("utf-8", "backslashreplace") if isinstance(video, bytes) else str(video)


def decode_ids(ids: Iterable[object]) -> list[str]:
    """Return ids as str; see `as_text`.

    Raises:
      UserError: an id contains a comma, a space or a line break, which no submission format allows.
    """
    texts = [as_text(i) for i in ids]
    joined = "".join(texts)
    if "," in joined or len(joined.split()) != (1 if joined else 0) or joined != joined.strip():
        bad = next(t for t in texts if "," in t or t != "".join(t.split()))
        raise UserError(
            f"the video id {bad!r} contains a comma or white space, which no submission format"
            " allows."
        )
    return texts


def is_empty(text: str) -> bool:
    """Whether an id identifies no video: "", or ":5" for a segment."""
    return not text or text[0] == ":"


def refuse_empty(texts: list[str]) -> None:
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

    It stores a 64-bit hash of each id, not the id.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._count = self._empty = self._repeated = 0
        self._example = ""

    def add(self, texts: Iterable[str]) -> None:
        """Add more ids."""
        for text in texts:
            self._count += 1
            known = hash(text)
            if is_empty(text):
                self._empty += 1
            elif known in self._seen:
                self._repeated += 1
                self._example = self._example or text
            else:
                self._seen.add(known)

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
