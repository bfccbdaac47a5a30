"""Rows of unequal lengths in two flat arrays."""

import numpy as np
import pytest

from yt8m.data.ragged import Ragged

ROWS = [[2, 3], [], [0], [3]]


@pytest.fixture
def ragged():
    return Ragged.of_lengths(np.array([2, 3, 0, 3], np.int32), np.array([2, 0, 1, 1]))


def test_rows(ragged):
    assert [row.tolist() for row in ragged] == ROWS
    assert len(ragged) == 4
    assert ragged.lengths().tolist() == [2, 0, 1, 1]
    assert ragged.rows().tolist() == [0, 0, 2, 3]


def test_transposed(ragged):
    assert [rows.tolist() for rows in ragged.transposed(5)] == [[2], [], [0], [0, 3], []]
    assert ragged.counts(5).tolist() == [1, 0, 1, 2, 0]


def test_joined(ragged):
    twice = Ragged.joined([ragged, ragged])
    assert [row.tolist() for row in twice] == ROWS * 2
    assert (twice.values.dtype, twice.starts.dtype) == (np.int32, np.int64)


def test_a_memory_map_stays_one(tmp_path):
    path = tmp_path / "values"
    np.array([4, 5, 6], np.int32).tofile(path)
    values = np.memmap(path, np.int32, mode="r")
    row = Ragged.of_lengths(values, np.array([1, 2]))[1]
    assert isinstance(row, np.memmap)
    assert row.tolist() == [5, 6]
