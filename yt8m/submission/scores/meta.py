"""What a score folder says about itself, checked before anything relies on it."""

from __future__ import annotations

from typing import Any

from yt8m.errors import UserError
from yt8m.settings import MOST_CLASSES


def checked_meta(meta: Any, path: str, flag: str, width: int | None = None) -> dict[str, Any]:
    """Return a score folder's description.

    Args:
      meta: the JSON value.
      path: the file, for messages.
      flag: the flag that named it.
      width: number of classes if the description gives none; None needs it there.

    Raises:
      UserError: it is not what the writers of score folders write.
    """
    problem = _problem(meta, width)
    if problem:
        raise UserError(
            f"{flag}: {path!r} describes its scores with {problem}; predict again (inference.py"
            " --output_scores)."
        )
    return meta


def _problem(meta: Any, width: Any) -> str | None:
    if not isinstance(meta, dict):
        return f"{str(meta)[:40]!r} in place of a JSON object"
    given = meta.get("num_classes", width)
    if not _is_number(given, 1, MOST_CLASSES + 1):
        return f"num_classes {str(given)[:40]}"
    classes = int(given)
    if not _is_number(meta.get("top_k", 0), 0, classes + 1):
        return f"top_k {str(meta['top_k'])[:40]} of {classes} classes"
    if meta.get("dtype", "float32") not in ("float32", "float16"):
        return f"dtype {str(meta['dtype'])[:40]}"
    covered, names = meta.get("covered_classes"), meta.get("class_names")
    if covered is not None and not (
        isinstance(covered, list) and all(_is_number(c, 0, classes) for c in covered)
    ):
        return f"covered_classes that are not numbers of the {classes} classes"
    if names is not None and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        return "class_names that are not a list of texts"
    return None


def _is_number(value: Any, first: int, end: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and first <= value < end
