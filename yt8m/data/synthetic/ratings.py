"""Ratings of five-second segments of synthetic videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

import numpy as np

from yt8m.data.schema import SEGMENT_FRAMES

RATED_SEGMENTS = 5  # of a video at most; the release has about as many


def rate_segments(
    shown: np.ndarray,
    labels: Sequence[int],
    scenes_of: Callable[[int], list[int]],
    frequency: np.ndarray,
    rng: np.random.Generator,
) -> list[tuple[int, int, float]]:
    """Return the ratings (start, class, 1.0 or 0.0) of a few segments of a video.

    Source: docs/sources.md#rated-segments for the ratings of the release.

    A rating says what the segment shows, not what its video is about. A segment is positive for
    each label of its video that most of it shows: 3 of 5 frames, or for a class of two scenes 2
    frames of each. It is negative for one label that no frame shows, and for one class that the
    video does not have, which may consist of the same scenes in the other order. A label that is
    visible in only a frame or two is not rated.

    Args:
      shown: scene of each frame, [n].
      labels: labels of the video.
      scenes_of: function of a class that returns its scenes, one or two, in order.
      frequency: probability of each class, [K].
      rng: chooses the segments and their negatives.
    """
    starts = np.arange(0, len(shown) - SEGMENT_FRAMES + 1, SEGMENT_FRAMES)  # whole segments
    chosen = np.sort(rng.choice(starts, min(RATED_SEGMENTS, len(starts)), replace=False))
    others = np.where(np.isin(np.arange(len(frequency)), labels), 0.0, frequency)
    ratings: list[tuple[int, int, float]] = []
    for start in chosen.tolist():
        frames = shown[start : start + SEGMENT_FRAMES]
        frames_of = {c: [int((frames == s).sum()) for s in scenes_of(c)] for c in labels}
        positive = [c for c, n in frames_of.items() if min(n) >= (3 if len(n) == 1 else 2)]
        absent = [c for c, n in frames_of.items() if not any(n)]
        negative = [int(rng.choice(absent))] if absent else []
        if others.any():
            negative.append(int(rng.choice(len(others), p=others / others.sum())))
        ratings += [(start, c, float(c in positive)) for c in sorted(positive + negative)]
    return ratings
