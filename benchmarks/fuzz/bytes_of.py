"""Damage to bytes, and the values that people's files hold where nobody expects them."""

from __future__ import annotations

import codecs
import gzip
from typing import Any

from hypothesis import strategies as st

CELLS = [
    "", " ", "-1", "0", "1", "1.0", "1.5", "1e999", "-1e999", "nan", "NaN", "inf", "1e5", "+3",
    "1_0", "0x10", "²", "١", "５", "½", "9" * 9, "9" * 10, "9" * 19, "9" * 30, "9" * 5000, "\0",
    "é", "𝄞",
    "\u2028", "\x85", "\x1c", "\ufeff", '"', '""', '"a', "'", "[", "[1", "[1]", "[[1]]", "[1e999]",
    '["a"]', "[null]", "{}", '{"a":1}', "None", "null", "True", "a,b", ";", "|", ":", "1:2", "1 2",
    "v0", "v0:5", "v0:²", "/", "..", "*", "id", "labels", "Index", "a" * 200, "[" * 3000,
]  # fmt: skip
JUNK = [
    b"", b"\0", b"\0" * 5000, b"\n", b"\xff" * 40, b"PK\x03\x04", b"\x1f\x8b\x08\x00",
    b"\x89HDF\r\n\x1a\n", b"\x93NUMPY\x01\x00v\x00", b"PAR1", b"{}",
    b"[]", b"null", b"[" * 100_000, b"a,b\n", b"%PDF-1.4\n",
    codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE + b"a", gzip.compress(b"id,labels\n"),
]  # fmt: skip
_INTERESTING = [0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0x0A, 0x20, 0x22]
_EDITS = ["flip", "set", "cut", "insert", "remove", "repeat", "number", "zeros"]


@st.composite
def damaged(draw: Any, content: bytes, most: int = 4) -> bytes:
    """Return a file's content after a few edits."""
    out = bytearray(content)
    for _ in range(draw(st.integers(1, most))):
        edit = draw(st.sampled_from(_EDITS))
        at = draw(st.integers(0, max(0, len(out) - 1)))
        _apply(draw, out, edit, at)
    return bytes(out)


def _apply(draw: Any, out: bytearray, edit: str, at: int) -> None:
    if edit == "cut":
        del out[at:]
    elif edit == "remove":
        del out[at : at + draw(st.integers(1, 64))]
    elif edit == "insert":
        out[at:at] = draw(st.binary(min_size=1, max_size=8))
    elif edit == "repeat":
        out[at:at] = out[at : at + draw(st.integers(1, 64))]
    elif edit == "zeros":
        out += bytes(draw(st.sampled_from([1, 16, 4096, 100_000])))
    elif edit == "number":
        size = draw(st.sampled_from([2, 4, 8]))
        value = draw(st.sampled_from([0, 1, 2**15, 2**31, 2**40, 2**63, -1]))
        out[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    elif out:
        out[at] = (
            draw(st.sampled_from(_INTERESTING))
            if edit == "set"
            else out[at] ^ (1 << draw(st.integers(0, 7)))
        )


def any_damage(content: bytes) -> Any:
    """Return a strategy: mostly damage, sometimes other content, a folder, a link or nothing."""
    other = st.sampled_from(JUNK) | st.binary(max_size=60)
    place = st.sampled_from([None, "/", "->nowhere", "->.", "->/dev/null"])
    return st.integers(0, 9).flatmap(
        lambda n: place if n == 9 else other if n == 8 else damaged(content)
    )


def encoded(text: str) -> Any:
    """Return a strategy of a text's bytes in the encodings that programs save in."""
    names = [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "latin-1",
        "cp1252",
    ]
    return st.sampled_from(["utf-8"] * 6 + names).map(
        lambda name: text.encode(name, "surrogatepass" if "utf" in name else "replace")
    )
