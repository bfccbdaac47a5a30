"""The README's table of models is that of the registry."""

from tests.docs.models_table import BEGIN, README, with_table


def test_readme_lists_the_registered_models():
    text = README.read_text()
    assert text.count(BEGIN) == 1
    assert text == with_table(text), "`python -m tests.docs.models_table` rewrites the table"
