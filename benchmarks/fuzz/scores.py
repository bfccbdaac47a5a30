"""Score folders of every format, as fusion reads them."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.bytes_of import any_damage
from benchmarks.fuzz.case import Target
from benchmarks.fuzz.documents import document

_SHAPES = ["(8, 5)", "(8,)", "()", "(5, 8)", "(0, 5)", "(8, 0)", "(-1, 5)", "(2**40, 5)",
           "(8, 1099511627776)", "8", "(8, 5, 1)", "(True, 5)", "None"]  # fmt: skip
_TYPES = ["'<f4'", "'<f2'", "'<f8'", "'|O'", "'<i4'", "'<U5'", "'|S4'", "'|b1'", "'<c8'", "'>f4'",
          "[('a', '<f4')]", "'<M8[s]'", "'|V4'", "'x'", "1"]  # fmt: skip


@st.composite
def array(draw: Any, content: bytes) -> bytes:
    """Return an .npy file with another header."""
    body = content[128:]
    shape, kind = draw(st.sampled_from(_SHAPES)), draw(st.sampled_from(_TYPES))
    order = draw(st.sampled_from(["False", "True", "None"]))
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"
    head = text.encode().ljust(117) + b"\n"
    return (
        b"\x93NUMPY\x01\x00"
        + len(head).to_bytes(2, "little")
        + head
        + body * draw(st.sampled_from([0, 1, 1, 3]))
    )


def of(folder: str, name: str) -> Any:
    """Return a strategy that changes one file of a folder."""

    def changed(file: str) -> Any:
        path = os.path.join(name, file)
        with open(os.path.join(folder, path), "rb") as source:
            content = source.read()
        made = any_damage(content)
        if file.endswith(".npy"):
            made = made | array(content)
        elif file.endswith(".json"):
            made = made | document(content)
        return made.map(lambda new: {path: new})

    files = sorted(os.listdir(os.path.join(folder, name)))
    two = st.tuples(*[st.sampled_from(files).flatmap(changed)] * 2).map(
        lambda pair: pair[0] | pair[1]
    )
    return st.sampled_from(files).flatmap(changed) | two


def targets(folder: str) -> list[Target]:
    """Return the targets.

    Args:
      folder: the valid inputs.
    """
    from yt8m.submission.score_formats import open_scores

    def opened(place: str) -> object:
        import numpy as np

        found = open_scores(os.path.join(place, next(n for n in names if n in os.listdir(place))))
        return found.dense(np.arange(len(found.ids)))

    names = [n for n in ("scores", "best", "parquet") if os.path.isdir(os.path.join(folder, n))]
    out = []
    for name in names:
        fuse = ("fuse", f"--inputs={{in}}/{name},{{in}}/fuse.csv", "--output_file={in}/out.csv")
        twice = ("fuse", f"--inputs={{in}}/{name},{{in}}/fuse.csv", "--output_scores={in}/out")
        changes = of(folder, name)
        out += [
            Target(f"scores, {name}", "scores", (name,), changes, None, opened),
            Target(f"fuse {name}", "scores", (name, "fuse.csv"), changes, st.just(fuse)),
            Target(f"fuse {name} to scores", "scores", (name, "fuse.csv"), changes, st.just(twice)),
        ]
    return out
