"""Reads Markdown for the tests of the documents: code blocks with their marks, links, headings."""

from __future__ import annotations

import pathlib
import re
import textwrap
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("yt8m/**/*.md"),
    ]
)
_BLOCK = re.compile(
    r"^ *(?:<!-- test: (?P<mark>[^>]+?) -->\n\s*)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^ *```",
    re.M | re.S,
)


class Block(NamedTuple):
    """A fenced code block; `mark` is the MARK of `<!-- test: MARK -->` above it, or ""."""

    language: str
    text: str
    mark: str


def blocks(document: pathlib.Path) -> list[Block]:
    """Return a document's fenced code blocks in order."""
    return [
        Block(found["language"], textwrap.dedent(found["text"]), found["mark"] or "")
        for found in _BLOCK.finditer(document.read_text())
    ]


def anchors(document: pathlib.Path) -> list[str]:
    """Return the anchors of a document's headings, by GitHub's rules."""
    without_code = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", without_code, re.M)
    return [re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings]


def links(document: pathlib.Path) -> list[str]:
    """Return the targets of a document's links."""
    return re.findall(r"\]\(([^)\s]+)\)", document.read_text())
