"""Write text files whole, without TensorFlow.

`yt8m.files` imports TensorFlow 2, which sets TF2_BEHAVIOR for child processes: the starter code,
which needs TensorFlow 1, would then refuse to start.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a file, and its folder if necessary; a killed process leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    os.replace(part, path)
