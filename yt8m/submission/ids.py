"""Video ids as text: TensorFlow hands out bytes, files hold lines."""

from __future__ import annotations

from typing import Iterable, List

from yt8m.errors import UserError


def decode_ids(ids: Iterable[object]) -> List[str]:
    """Return ids as str; bytes are read as UTF-8.

    Raises:
      UserError: an id holds a comma, a space or a line break, which no submission format can carry.
    """
    texts = [i.decode("utf-8", "replace") if isinstance(i, bytes) else str(i) for i in ids]
    joined = "".join(texts)
    if "," in joined or len(joined.split()) != (1 if joined else 0) or joined != joined.strip():
        bad = next(t for t in texts if "," in t or t != "".join(t.split()))
        raise UserError(f"the video id {bad!r} holds a comma or a blank, so no submission line can carry it.")
    return texts
