"""Each promise of the documents about kills and refusals stands there, and has tests that exist."""

import ast
import re

import pytest

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "promises.md"
_HEADING = re.compile(r"^## \[[^]]+\]\(([^)#]+)")
_ROW = re.compile(r"^\| \"(?P<promise>.+)\" \| (?P<tests>.+) \|$")


def rows(text):
    """Return (page, promise, tests) of each row of the tables."""
    found, page = [], None
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            page = (PAGE.parent / heading[1]).resolve()
        elif row := _ROW.match(line):
            found.append((page, row["promise"], re.findall(r"`([^`]+)`", row["tests"])))
        else:
            assert not line.startswith("|") or line in ("| Promise | Tests |", "| --- | --- |"), (
                line
            )
    return found


def is_promised(page, promise):
    """Whether a page says so, whatever its line breaks."""
    return promise in " ".join(re.sub(r"^ *[-*] ", " ", page.read_text(), flags=re.M).split())


def exists(test):
    """Whether a file below tests/ defines a test."""
    name, _, function = test.partition("::")
    path = ROOT / "tests" / name
    return path.is_file() and function in {
        node.name for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "name")
    }


ROWS = rows(PAGE.read_text())


def test_every_page_with_promises_is_there():
    assert {page.name for page, _, _ in ROWS} >= {
        "README.md", "training.md", "data.md", "submission.md", "large-scale.md",
    }  # fmt: skip


@pytest.mark.parametrize(("page", "promise", "tests"), ROWS, ids=[row[1][:50] for row in ROWS])
def test_a_promise_is_made_and_tested(page, promise, tests):
    assert is_promised(page, promise), f"{page.name} does not say: {promise}"
    assert tests
    assert not [test for test in tests if not exists(test)]


def test_what_is_missing_is_found():
    assert not is_promised(PAGE, "a kill loses " + "everything")
    assert not exists("docs/test_promises.py::test_nothing")
    assert not exists("docs/none.py::test_nothing")
    with pytest.raises(AssertionError):
        rows("| no quotation | `docs/test_promises.py::test_nothing` |")
