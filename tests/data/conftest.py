"""Fixtures over the makers of records in tests/support/records.py."""

from __future__ import annotations

import pytest

from tests.support import records


@pytest.fixture
def make(tmp_path):
    return records.Maker(tmp_path)


@pytest.fixture
def damage():
    return records.damage
