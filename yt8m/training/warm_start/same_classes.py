"""Whether the classes of a run are those of another one that it starts from."""

from __future__ import annotations

from yt8m.runs.classes.names import class_names
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder


def why_others(earlier: RunFolder, there: RunConfig, new: RunFolder, here: RunConfig) -> str | None:
    """Return why the classes of an earlier run differ from those of a new one, or None.

    Equal numbers of classes are taken to mean the same ones unless both runs know their names.

    Args:
      earlier: folder of the earlier run.
      there: its settings.
      new: folder of the new run.
      here: its settings.
    """
    counts = there.schema.num_classes, here.schema.num_classes
    if counts[0] != counts[1]:
        return f"the vocabulary is another one: {counts[0]:,} classes there, {counts[1]:,} here"
    old, own = class_names(earlier, there), class_names(new, here)
    if not (old.are_known and own.are_known):
        return None
    different = [label for label, names in enumerate(zip(old, own)) if names[0] != names[1]]
    if not different:
        return None
    first = different[0]
    return (
        f"the vocabulary is another one: {counts[0]:,} classes there and here, but class {first} is"
        f" {old[first]!r} there and {own[first]!r} here"
    )
