"""What every writer of predictions can do: take batches, tell how far it is, and go on from there.

Inference notes the positions of its writers now and then. When it is killed, the same command opens
each writer at the position that was noted last, and what was written after it is cut off.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.files import AtomicWriter

Position = dict[str, Any]  # JSON values, such as the bytes of each file


class PredictionWriter(AtomicWriter):
    """A destination of predictions.

    A class of writers takes `at: Position | None = None` in its constructor. None starts from the
    beginning, and removes what a killed process may have left. A position opens what that process
    has left and cuts it to the position, or raises `CannotGoOn` (`yt8m.files`).
    """

    def check_ids(self, texts: Sequence[str]) -> None:
        """Refuse ids that this format cannot hold, before any of them is written.

        Args:
          texts: ids.

        Raises:
          UserError: there is one.
        """

    @abc.abstractmethod
    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append videos or segments.

        Args:
          ids: [B], str or bytes.
          scores: float [B, K].
        """

    @abc.abstractmethod
    def position(self) -> Position | None:
        """Return where the output now ends, once all of it is on the disk.

        None means that nobody could go on from there, as with a file in a bucket.
        """

    @abc.abstractmethod
    def leave(self) -> None:
        """Close the output as it is, without its name, so that it can be opened at a position."""

    @abc.abstractmethod
    def estimated_bytes(self, examples: int) -> int:
        """Return about how many bytes that number of videos or segments takes on the disk."""
