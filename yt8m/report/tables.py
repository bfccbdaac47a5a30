"""Tables that a browser can sort and a screen reader can read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from yt8m.report.markup import Markup, join, tag


@dataclasses.dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
      title: its heading.
      form: the format of its numbers, such as ",d" or ".4f"; "" is a column of text.
    """

    title: str
    form: str = ""

    def text(self, value: object) -> object:
        """Return the text of a cell; None is a dash."""
        if value is None:
            return "–"
        return format(value, self.form) if self.form and not isinstance(value, str) else value


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    marked: Iterable[tuple[int, int]] = (),
) -> Markup:
    """Return a table in a box that scrolls by itself where the page is too narrow.

    Args:
      caption: says what the table shows.
      columns: its columns; the cells of the first one head their rows.
      rows: the cells of each row.
      marked: (row, column) of the cells to emphasize.
    """
    bold = frozenset(marked)
    head = tag(
        "tr", *(tag("th", c.title, scope="col", class_="n" if c.form else None) for c in columns)
    )
    body = join(*(_row(columns, row, i, bold) for i, row in enumerate(rows)))
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", body))
    return tag("div", inner, class_="scroll", role="region", aria_label=caption, tabindex=0)


def _row(
    columns: Sequence[Column], row: Sequence[object], number: int, bold: frozenset[tuple[int, int]]
) -> Markup:
    cells = []
    for i, (column, value) in enumerate(zip(columns, row)):
        text = column.text(value)
        content = tag("strong", text) if (number, i) in bold else text
        kind = "n" if column.form else None
        cells.append(
            tag("td", content, class_=kind) if i else tag("th", content, scope="row", class_=kind)
        )
    return tag("tr", *cells)


def facts(rows: Iterable[tuple[str, object]]) -> Markup:
    """Return names and values as a list; a value of None is left out."""
    pairs = (
        tag("div", tag("dt", name), tag("dd", value)) for name, value in rows if value is not None
    )
    return tag("dl", *pairs, class_="facts")


def folded(summary: str, *content: object) -> Markup:
    """Return content that the reader unfolds."""
    return tag("details", tag("summary", summary), *content)
