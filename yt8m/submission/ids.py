"""Video ids as text: TensorFlow hands out bytes, files hold lines."""

from __future__ import annotations

from collections.abc import Iterable

from yt8m.errors import UserError


def as_text(video: object) -> str:
    """Return an id as str; bytes are read as UTF-8, and what is not UTF-8 is written as `\\xff`, so that ids stay different."""
    return video.decode("utf-8", "backslashreplace") if isinstance(video, bytes) else str(video)


def decode_ids(ids: Iterable[object]) -> list[str]:
    """Return ids as str; see `as_text`.

    Raises:
      UserError: an id holds a comma, a space or a line break, which no submission format can carry.
    """
    texts = [as_text(i) for i in ids]
    joined = "".join(texts)
    if "," in joined or len(joined.split()) != (1 if joined else 0) or joined != joined.strip():
        bad = next(t for t in texts if "," in t or t != "".join(t.split()))
        raise UserError(
            f"the video id {bad!r} holds a comma or a blank, so no submission line can carry it."
        )
    return texts


def refuse_empty(texts: list[str]) -> None:
    """Refuse ids that name no video, `""` and a segment's `":5"`.

    Raises:
      UserError: there are some. Late copies of the 2017 release have no other (spec A.1).
    """
    empty = sum(not t or t[0] == ":" for t in texts)
    if empty:
        raise UserError(
            f"{empty} of {len(texts)} videos have an empty id, as in late copies of the 2017 release, and no submission line can"
            " be without one. --output_scores in place of --output_file keeps every score, in the order of the records."
        )


class IdWatch:
    """Counts the ids that do not tell one video from the others; keeps a 64-bit hash of each, not the id."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._count = self._empty = self._repeated = 0
        self._example = ""

    def add(self, texts: Iterable[str]) -> None:
        """Look at some more ids."""
        for text in texts:
            self._count += 1
            known = hash(text)
            if not text or text[0] == ":":
                self._empty += 1
            elif known in self._seen:
                self._repeated += 1
                self._example = self._example or text
            else:
                self._seen.add(known)

    def warnings(self) -> list[str]:
        """Return a line for each kind of such ids that there was."""
        found = []
        if self._empty:
            found.append(
                f"warning: {self._empty:,} of {self._count:,} ids are empty, as in late copies of the 2017 release; nothing but"
                " their order tells these videos apart."
            )
        if self._repeated:
            found.append(
                f"warning: {self._repeated:,} of {self._count:,} ids repeat an earlier one, first {self._example!r}; a submission"
                " wants each video once, so name each record file once."
            )
        return found
