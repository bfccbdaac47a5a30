"""docs/sources.md: each citation has its entry, each entry is cited, and nothing else is cited."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/sources.md"
SUFFIXES = {
    ".py",
    ".md",
    ".txt",
    ".cfg",
    ".toml",
    ".ini",
    ".json",
    ".yml",
    ".yaml",
    ".sh",
    ".ipynb",
}
NAMES = {"Makefile", "run"}
# No pattern here may match its own text.
LINK = re.compile(r"docs/sources\.md#([\w-]+)")
LINK_WITHIN = re.compile(r"\]\(#([\w-]+)\)")
HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*$", re.M)
ENTRY = "###"  # the level of what is cited
OLD = re.compile(r"\b(?:spec|trap)s?\s+(?:[A-G]\.\d|E-\d)|\(E-\d+\)|\[NS\]|\bspec\.md\b")


def paths():
    """Return the paths of the text files: those that git tracks, or all where there is no git."""
    try:
        command = ["git", "-C", str(ROOT), "ls-files", "-z"]
        found = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        found = []
    if PAGE not in found or "setup.cfg" not in found:  # no git, or another project's
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [
                f for f in folders if f[0] != "." and f not in ("runs", "build", "__pycache__")
            ]
            found += [Path(folder, name).relative_to(ROOT).as_posix() for name in names]
    return sorted(
        path
        for path in found
        if (Path(path).suffix in SUFFIXES or Path(path).name in NAMES) and (ROOT / path).is_file()
    )


def anchor(title):
    """Return the anchor that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", title.strip().lower())
    return kept.replace(" ", "-")


@pytest.fixture(scope="module")
def texts():
    """Return {path: text} of every text file."""
    return {path: (ROOT / path).read_text(encoding="utf-8", errors="replace") for path in paths()}


@pytest.fixture(scope="module")
def headings():
    """Return [(level, anchor)] of the page."""
    text = re.sub(
        r"^```.*?^```",
        "",
        (ROOT / PAGE).read_text(encoding="utf-8", errors="replace"),
        flags=re.M | re.S,
    )
    return [(level, anchor(title)) for level, title in HEADING.findall(text)]


@pytest.fixture(scope="module")
def links(texts):
    """Return [(path, anchor)] of every citation outside the page."""
    return [
        (path, found)
        for path, text in texts.items()
        if path != PAGE
        for found in LINK.findall(text)
    ]


def test_every_citation_has_its_entry(links, headings, texts):
    known = {name for _, name in headings}
    assert len(links) > 50  # the files were found at all
    assert not sorted({(path, name) for path, name in links if name not in known})
    assert not sorted(set(LINK_WITHIN.findall(texts[PAGE])) - known)


def test_every_entry_is_cited(links, headings):
    cited = {name for _, name in links}
    assert not [name for level, name in headings if level == ENTRY and name not in cited]


def test_anchors_differ(headings):
    names = [name for _, name in headings]
    assert not sorted({name for name in names if names.count(name) > 1})


def test_nothing_outside_the_repository_is_cited(texts):
    assert not [
        f"{path}: {found.group()}" for path, text in texts.items() for found in OLD.finditer(text)
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("iRProp+", "irprop"),
        ("1D ResNet", "1d-resnet"),
        ("Co-occurrence", "co-occurrence"),
        ("Stacked GRU, LSTM", "stacked-gru-lstm"),
    ],
)
def test_anchor(title, expected):
    assert anchor(title) == expected
