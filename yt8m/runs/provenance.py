"""The inputs of derived files, recorded beside the files in a small JSON file."""

from __future__ import annotations

import json
import os
from typing import Any

from yt8m import files, stored


class Provenance:
    """The inputs of derived files, as they are now and as they were recorded.

        made = Provenance(os.path.join(folder, "about.json"), {"model": digest, "data": shards})
        if made.changed():
            raise UserError(f"{folder} was made from other {', '.join(made.changed())}; ...")
        made.record()

    Args:
      path: the JSON file, local or remote.
      now: the inputs, by name; values that JSON can hold.
    """

    def __init__(self, path: str, now: dict[str, Any]):
        self.path = path
        self.now: dict[str, Any] = json.loads(json.dumps(now))  # As read back: tuples become lists.
        self.before: dict[str, Any] | None = (
            stored.read_object(path, "delete it only if the files beside it are to be kept as is.")
            if stored.exists(path)
            else None
        )

    def changed(self, unknown_is_same: bool = False) -> list[str]:
        """Return the names of the inputs that differ from the recorded ones.

        If nothing is recorded yet, nothing counts as changed.

        Args:
          unknown_is_same: let an input pass that an older version did not record.
        """
        if self.before is None:
            return []
        names = [n for n in self.now if n in self.before] if unknown_is_same else self.now
        return [name for name in names if self.before.get(name) != self.now[name]]

    def record(self) -> None:
        """Write the inputs, unless they are already recorded; create the folder if necessary."""
        if self.before != self.now:
            _gfile().makedirs(os.path.dirname(self.path) or ".")
            files.write_json(self.path, self.now)
            self.before = self.now


def _gfile() -> Any:
    import tensorflow as tf  # Only here, so that importing this module stays cheap.

    return tf.io.gfile
