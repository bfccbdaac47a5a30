"""The prose of the project uses none of the phrases on this list, which newcomers stumbled over."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
BANNED = {
    r"\bmends?\b|\bmended\b": "fix",
    r"\bput down\b": "write",
    r"\btold\b(?! apart)": "report, say",
    r"\blies\b": "is",
    r"\bknows? by heart\b": "memorise",
    r"\basked to stop\b": "stopped, interrupted",
    r"\b[Ww]ho sets no flag\b": "with no flags",
    r"\bhas not what\b": "is not available",
    r"\bby heart\b": "memorise",
    r"\banew\b": "again",
    r"\bin words\b": "as text",
    r"\bof use\b": "useful",
    r"\ba clear word\b": "a clear error",
    r"\bis due to\b": "caused by",
    r"\bspec [A-G]\.\d": "a link to docs/sources.md",
    r"\btrap E-?\d": "a link to docs/sources.md",
    r"\[NS\]": "not stated",
}
TEXTS = sorted(
    path
    for pattern in (
        "*.md",
        "*.py",
        "*.cfg",
        "*.toml",
        "Makefile",
        "docs/*.md",
        "benchmarks/*",
        "benchmarks/**/*.py",
        "yt8m/**/*.py",
        "tests/**/*.py",
    )
    for path in ROOT.glob(pattern)
    if path.is_file() and path != pathlib.Path(__file__)
)


@pytest.mark.parametrize("phrase", BANNED)
def test_banned_phrase(phrase):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in TEXTS
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(phrase, line)
    ]
    assert not found, f"write {BANNED[phrase]!r} instead:\n" + "\n".join(found)


def test_no_description_begins_with_of():
    begins = re.compile(r'^\s*(?:[\w, ]+: of |""" ?[Oo]f )|help="of ')
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in TEXTS
        if path.suffix == ".py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if begins.search(line)
    ]
    assert not found, "\n".join(found)


def test_texts_are_found():
    assert len(TEXTS) > 200
