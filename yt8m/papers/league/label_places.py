"""Where the numbers of a picture's points go, so that they cover neither points nor one another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Point = tuple[float, float]

_RINGS = (8.0, 13.0, 19.0, 26.0)  # distances of a label's middle from its point
_WAYS = ((1, 0.6), (0, 1), (-1, 0.6), (1, -0.6), (0, -1), (-1, -0.6))
_LABEL = (9.0, 8.0)  # width and height of a label of two digits
_POINT = 5.0  # width of a point


def label_places(points: Sequence[Point], others: Sequence[Point] = ()) -> list[Point]:
    """Return for each point how far the middle of its label is from it.

    The nearest free place is taken, point by point; where none is free, the nearest one.

    Args:
      points: places of the points with labels, in typographic points.
      others: places of those without.
    """
    taken = [(x, y, _POINT, _POINT) for x, y in itertools.chain(points, others)]
    places = []
    for x, y in points:
        choices = [(r * a, r * b) for r in _RINGS for a, b in _WAYS]
        free = (c for c in choices if not _covers((x + c[0], y + c[1], *_LABEL), taken))
        place = next(free, choices[0])
        places.append(place)
        taken.append((x + place[0], y + place[1], *_LABEL))
    return places


def _covers(
    box: tuple[float, float, float, float], taken: Sequence[tuple[float, float, float, float]]
) -> bool:
    x, y, width, height = box
    return any(
        abs(x - u) < (width + w) / 2 and abs(y - v) < (height + h) / 2 for u, v, w, h in taken
    )
