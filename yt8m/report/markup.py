"""HTML elements as text, in which everything that is not markup already is escaped."""

from __future__ import annotations

import html


class Markup(str):
    """Text that is HTML or SVG; any other string is escaped where it becomes part of a page."""


def escaped(content: object) -> str:
    """Return content as HTML: markup as it is, and the text of anything else."""
    return content if isinstance(content, Markup) else html.escape(str(content))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element.

    Args:
      name: the element's.
      *children: markup, or values whose text it contains; None is left out.
      **attributes: `class_` is "class", `stroke_width` is "stroke-width"; None and False are left
        out, and True is an attribute without a value.
    """
    inner = "".join(escaped(child) for child in children if child is not None)
    return Markup(f"<{name}{_attributes(attributes)}>{inner}</{name}>")


def join(*parts: object) -> Markup:
    """Return the markup of several parts in a row; None is left out."""
    return Markup("".join(escaped(part) for part in parts if part is not None))


def _attributes(values: dict[str, object]) -> str:
    written = []
    for name, value in values.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        written.append(f" {name}" if value is True else f' {name}="{html.escape(str(value))}"')
    return "".join(written)
