"""The same videos in every input, perhaps in another order: found, or told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yt8m.errors import UserError


def align_ids(
    reference: Sequence[str], ids: Sequence[str], reference_name: str, name: str
) -> np.ndarray | None:
    """Return rows int64 [N] with `ids[rows[i]] == reference[i]`, or None where the order is the same already.

    Raises:
      UserError: the sets of ids differ (how many, and the first of them), or an id comes twice in
        files of different order.
    """
    if list(reference) == list(ids):
        return (
            None  # also right where ids repeat or are empty, as in late copies of the 2017 release
        )
    place = {video: row for row, video in enumerate(ids)}
    known = set(reference)
    lacking = [video for video in reference if video not in place]
    extra = [video for video in ids if video not in known]
    if lacking or extra:
        found = _some(lacking, f"in {reference_name} but not in {name}")
        found += _some(extra, f"in {name} but not in {reference_name}")
        raise UserError(
            f"the inputs do not hold the same videos: {reference_name} has {len(reference)}, {name} has {len(ids)};"
            f" {'; '.join(found)}. Predict the same records with every model (--input_data_pattern)."
        )
    if len(place) < len(ids) or len(known) < len(reference):
        raise UserError(
            f"{reference_name} and {name} hold ids more than once and in different order, so their rows cannot be"
            " matched. Write both from the same records in the same order."
        )
    return np.array([place[video] for video in reference], np.int64)


def _some(videos: list[str], where: str) -> list[str]:
    if not videos:
        return []
    return [f"{len(videos)} {where}, first {', '.join(videos[:3])}"]
