"""Rows of unequal lengths in two flat arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Ragged:
    """N rows of unequal lengths, stored one after the other.

    Attributes:
      values: [L], the entries of all rows; any type, memory-mapped or not.
      starts: int64 [N + 1]; row i is `values[starts[i] : starts[i + 1]]`.
    """

    values: np.ndarray
    starts: np.ndarray

    @classmethod
    def of_lengths(cls, values: np.ndarray, lengths: np.ndarray) -> Ragged:
        """Return rows of the given lengths [N]."""
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """Return the rows of all parts; there must be at least one part."""
        lengths = np.concatenate([part.lengths() for part in parts])
        return cls.of_lengths(np.concatenate([part.values for part in parts]), lengths)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.starts[row] : self.starts[row + 1]]

    def lengths(self) -> np.ndarray:
        """Return the length of each row, int64 [N]."""
        return np.diff(self.starts)

    def rows(self) -> np.ndarray:
        """Return the row of each entry of `values`, int64 [L]."""
        return np.repeat(np.arange(len(self)), self.lengths())

    def counts(self, num_values: int) -> np.ndarray:
        """Return how often each of the values 0 to `num_values` - 1 occurs, int64 [num_values]."""
        return np.bincount(self.values, minlength=num_values)

    def transposed(self, num_values: int) -> Ragged:
        """Return for each of the values 0 to `num_values` - 1 the rows that have it, ascending."""
        order = np.argsort(self.values, kind="stable")
        return Ragged.of_lengths(self.rows()[order], self.counts(num_values))
