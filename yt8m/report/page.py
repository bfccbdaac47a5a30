"""The page around its sections: one HTML file that loads nothing."""

from __future__ import annotations

import dataclasses
import importlib.resources
from collections.abc import Sequence

from yt8m import __version__
from yt8m.report.markup import Markup, join, tag

# The browser itself then refuses whatever the page might load.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    title: str
    content: Markup


def page(title: str, sections: Sequence[Section]) -> str:
    """Return the text of the page."""
    head = join(
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        tag("title", title),
        tag("style", _file("page.css")),
    )
    links = [tag("li", tag("a", one.title, href=f"#part-{i}")) for i, one in enumerate(sections, 1)]
    nav = tag("nav", tag("ul", *links), aria_label="Sections")
    parts = [
        tag("section", tag("h2", one.title, id=f"part-{i}"), one.content,
            aria_labelledby=f"part-{i}")
        for i, one in enumerate(sections, 1)
    ]  # fmt: skip
    body = join(
        tag("header", tag("h1", title), nav if len(sections) > 1 else None),
        tag("main", *parts),
        tag("footer", tag("p", f"Written by yt8m {__version__}.")),
        tag("script", _file("page.js")),
    )
    return "<!doctype html>\n" + tag("html", tag("head", head), tag("body", body), lang="en") + "\n"


def _file(name: str) -> Markup:
    return Markup(importlib.resources.files("yt8m.report").joinpath(name).read_text("utf-8"))
