"""Writes the README's table of models from the registry: `python -m tests.docs.models_table`."""

from __future__ import annotations

from tests.docs.markdown import ROOT
from yt8m.models.core import registry

README = ROOT / "README.md"
BEGIN, END = "<!-- models: begin -->\n", "<!-- models: end -->\n"


def with_table(text: str) -> str:
    """Return the README's text with the table that the registry gives now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{registry.markdown_table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
