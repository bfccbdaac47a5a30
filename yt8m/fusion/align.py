"""Inputs with the same videos, perhaps in different orders, which are read in parallel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from yt8m.errors import UserError
from yt8m.fusion.inputs import FusionInput


class Chunk(NamedTuple):
    """Some of the videos.

    Attributes:
      rows: their positions in the first input.
      ids: their ids [n].
      parts: the scores of each model, float32 [n, K].
    """

    rows: np.ndarray
    ids: list[str]
    parts: list[np.ndarray]


class AlignedInputs:
    """Inputs with the same set of videos, read in the order of the first input.

    Args:
      inputs: one or more.
      num_classes: K.
      chunk_size: videos that are read at a time.

    Raises:
      UserError: the inputs contain different videos.
    """

    def __init__(self, inputs: Sequence[FusionInput], num_classes: int, chunk_size: int = 1024):
        self.inputs, self.num_classes, self._chunk_size = inputs, num_classes, chunk_size
        first = inputs[0]
        self.ids: list[str] = list(first.ids)
        self._orders = [align_ids(self.ids, i.ids, first.name, i.name) for i in inputs]

    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        return [i.name for i in self.inputs]

    def chunks(self) -> Iterator[Chunk]:
        """Yield every video once."""
        for start in range(0, len(self.ids), self._chunk_size):
            ids = self.ids[start : start + self._chunk_size]
            rows = np.arange(start, start + len(ids))
            parts = [
                one.rows(rows if order is None else order[rows], self.num_classes)
                for one, order in zip(self.inputs, self._orders)
            ]
            yield Chunk(rows, ids, parts)


def align_ids(
    reference: Sequence[str], ids: Sequence[str], reference_name: str, name: str
) -> np.ndarray | None:
    """Return rows int64 [N] with `ids[rows[i]] == reference[i]`, or None if the order is the same.

    Raises:
      UserError: the two hold different videos, or hold an id twice and differ in order.
    """
    if list(reference) == list(ids):
        # This also covers ids that repeat or are empty, as in late copies of the 2017 release.
        return None
    place = {video: row for row, video in enumerate(ids)}
    known = set(reference)
    missing = [video for video in reference if video not in place]
    extra = [video for video in ids if video not in known]
    if missing or extra:
        differences = [
            f"{len(videos)} in {one} but not in {other}, first {', '.join(videos[:3])}"
            for videos, one, other in (
                (missing, reference_name, name),
                (extra, name, reference_name),
            )
            if videos
        ]
        raise UserError(
            f"the inputs do not contain the same videos: {reference_name} has {len(reference)},"
            f" {name} has {len(ids)}; {'; '.join(differences)}. Predict the same records with every"
            " model (--input_data_pattern)."
        )
    if len(place) < len(ids) or len(known) < len(reference):
        raise UserError(
            f"{reference_name} and {name} contain ids more than once and in different order, so"
            " their rows cannot be matched. Write both from the same records in the same order."
        )
    return np.array([place[video] for video in reference], np.int64)
