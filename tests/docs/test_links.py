"""Every relative link in the documents leads to a file, and to a heading where it names one."""

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, anchors, links


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_links_resolve(document):
    for link in links(document):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: {target.name} has no such heading"


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    document = tmp_path / "a.md"
    document.write_text(
        "# One thing\n[x](b.md) [y](#one-thing) [z](#two)\n```sh\n# no heading\n```\n"
    )
    assert links(document) == ["b.md", "#one-thing", "#two"]
    assert anchors(document) == ["one-thing"]
