"""What distinguishes the features of some records from those of a release, in sentences.

The components of the release's PCA are centered and whitened, so that their means say nothing about
their order. What does is the profile of their spreads over the videos: that of other real videos of
the release correlates with it at 0.93 to 0.98, that of another order not at all. Of signs only the
skewness knows something, which is small: at 300 videos its profiles correlate at 0.15 in the 1,024
values of the pictures and at 0.61 in the 128 of the sound, five and seven standard errors from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from yt8m.data.conformance.statistics import FeatureStatistics

_FEW = 30  # videos, with fewer of which the spread between them says little
_MANY = 100  # videos, with fewer of which the profile of the spreads says little
_VERY_MANY = 300  # the same of the skewness
_UNALIKE = 0.5  # correlation of the spreads below which two features are not the same
_NOTHING = 2.0  # standard errors from 0 below which the skewness has nothing in common
_SURE = 4.0  # standard errors above which it has without doubt
_SCALE = (0.6, 1.67)  # ratio of the spreads
_SHIFT = 1.0  # spreads by which the typical mean may be off
_ENDS = 0.15  # more of the values at the ends of the range than in the release
_ZEROS = 0.1  # share of values that are exactly 0


class Comparison(NamedTuple):
    """A feature beside that of the release.

    Attributes:
      name: that of the feature.
      numbers: a line of numbers.
      problems: what is wrong, a sentence each.
    """

    name: str
    numbers: str
    problems: list[str]


def compare(name: str, own: FeatureStatistics, like: FeatureStatistics) -> Comparison:
    """Return how the records' feature differs from the release's.

    Args:
      name: that of the feature.
      own: that of the records.
      like: that of the release.
    """
    if own.size != like.size:
        problem = (
            f"{name} has {own.size:,} values, and the release has {like.size:,}: it is another"
            " network's, or the PCA is missing."
        )
        return Comparison(name, f"{own.size:,} values", [problem])
    likeness, ratio, shift = _likeness(own, like), _ratio(own, like), _shift(own, like)
    numbers = (
        f"{own.videos:,} videos; spreads correlate at {likeness:.2f}; means are off by"
        f" {shift:.2f} spreads; spread {ratio:.2f} times the release's; {own.at_ends:.1%} of the"
        f" values at the ends of the range; {_dead(own)} constant"
    )
    return Comparison(name, numbers, list(_problems(name, own, like)))


def _problems(name: str, own: FeatureStatistics, like: FeatureStatistics) -> Iterator[str]:
    dead = _dead(own)
    if dead and own.videos >= _FEW:
        yield f"{dead:,} of the {own.size:,} values of {name} are the same in all videos."
    if own.zeros > like.zeros + _ZEROS and own.negative < 0.01:
        yield (
            f"{own.zeros:.0%} of the values of {name} are exactly 0 and none is negative: they were"
            " taken after a ReLU, and the release's before it."
        )
    scale = _scale(name, own, like) if own.videos >= _FEW else ""
    if scale:
        yield scale
    if own.at_ends > like.at_ends + _ENDS:
        yield (
            f"{own.at_ends:.0%} of the values of {name} are at the ends of the range, and"
            f" {like.at_ends:.1%} in the release: they were cut off when they were quantised."
        )
    if own.videos >= _MANY and not scale:
        yield from _order(name, own, like)
    if _shift(own, like) > _SHIFT:
        yield (
            f"the values of {name} are off by {_shift(own, like):.1f} spreads: another mean was"
            " subtracted before the PCA, or the bytes were read with another offset."
        )


def _scale(name: str, own: FeatureStatistics, like: FeatureStatistics) -> str:
    profile = own.spread / np.maximum(like.spread, 1e-6)
    quarter = max(1, own.size // 4)
    first, last = np.median(profile[:quarter]), np.median(profile[-quarter:])
    if first > 2 * last:
        return (
            f"the spread of {name} falls from {first:.2f} times the release's in the first values"
            f" to {last:.2f} in the last: the PCA was not whitened (divide by the square root of"
            " the eigenvalues)."
        )
    ratio = _ratio(own, like)
    if _SCALE[0] <= ratio <= _SCALE[1]:
        return ""
    return (
        f"the spread of {name} is {ratio:.2f} times the release's: it was scaled otherwise before"
        " it was clipped to ±2 and quantised."
    )


def _order(name: str, own: FeatureStatistics, like: FeatureStatistics) -> Iterator[str]:
    likeness = _likeness(own, like)
    said = f"the spreads of {name} correlate with the release's at {likeness:.2f} only"
    backwards = _correlation(own.spread[::-1], like.spread)
    errors = _correlation(own.skew, like.skew) * np.sqrt(own.size)
    if likeness < _UNALIKE and backwards > _UNALIKE:
        yield f"{said}, and at {backwards:.2f} in the opposite order: the values are reversed."
    elif likeness < _UNALIKE and not (own.videos >= _VERY_MANY and errors > _SURE):
        # Otherwise they are the same features of videos of another length or kind, as AudioSet's
        # clips of ten seconds show beside YouTube-8M's sound: spreads at 0.38, skewness at 0.5.
        yield (
            f"{said}: another network or PCA made them, its input had other channels (BGR for RGB)"
            " or another range, or their order is another."
        )
    elif likeness >= _UNALIKE and own.videos >= _VERY_MANY and errors < _NOTHING:
        yield (
            f"the spreads of {name} are like the release's, but the skewness of the values has"
            " nothing in common with it: the PCA's directions have other signs, or it is another"
            " PCA."
        )


def _likeness(own: FeatureStatistics, like: FeatureStatistics) -> float:
    return _correlation(own.spread, like.spread)


def _ratio(own: FeatureStatistics, like: FeatureStatistics) -> float:
    return float(np.median(own.spread / np.maximum(like.spread, 1e-6)))


def _shift(own: FeatureStatistics, like: FeatureStatistics) -> float:
    return float(np.median(np.abs(own.mean - like.mean) / np.maximum(like.spread, 1e-6)))


def _dead(own: FeatureStatistics) -> int:
    return int(np.count_nonzero(own.spread < 1e-6))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0
