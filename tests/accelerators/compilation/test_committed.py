"""The results that are part of the project, and the page that shows them."""

import warnings

import pytest

from tests.docs.markdown import ROOT
from yt8m.accelerators import programs
from yt8m.accelerators.compilation.page import with_tables
from yt8m.accelerators.compilation.request import request_of
from yt8m.accelerators.compilation.results import COMMITTED, Results
from yt8m.models.core import registry

RESULTS = Results(COMMITTED)


@pytest.mark.parametrize("name", registry.list_models(task=None))
def test_every_program_of_a_model_has_a_row(name):
    rows = [r for r in RESULTS.rows() if r["model"] == name and r["topology"] == "v5e:2x2"]
    compiled = {r["program"] for r in rows if r["dtype"] == "bfloat16" and "error" not in r}
    assert compiled == set(programs.names(name))


def test_the_page_shows_the_results():
    page = (ROOT / "docs/accelerators.md").read_text()
    assert with_tables(page, RESULTS.rows()) == page, "run `yt8m accelerators table`"


def test_rows_older_than_their_source_are_named():
    stale = [str(request_of(row)) for row in RESULTS.stale()]
    if stale:  # no failure: a change of a layer must not need a compiler
        warnings.warn("compiled from an older source: " + "; ".join(stale), stacklevel=1)
    assert len(stale) <= len(RESULTS.rows())
