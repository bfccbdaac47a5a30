"""MAP@K of the 2019 challenge, over ranked lists of five-second segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from yt8m.errors import UserError
from yt8m.metrics.average_precision import ranked_average_precision


def segment_average_precision(
    segments: Sequence[str], ratings: Mapping[str, float], top_n: int = 0
) -> float:
    """Return the AP of one class's list of segments.

    Source: starter code, segment_eval_inference (docs/sources.md#segment-map). The list is first
    cut to `top_n`, and then the segments without a rating are removed.

    Args:
      segments: `id:start` in descending order of confidence.
      ratings: `id:start` -> rating of all rated segments of the class; above 0 is positive.
      top_n: keep the first `top_n` of the list; 0 keeps all.
    """
    listed = segments[:top_n] if top_n else segments
    # Only the first place of a segment counts, or its rating would count twice.
    rated = [s for s in dict.fromkeys(listed) if s in ratings]
    hits = np.array([ratings[s] > 0 for s in rated], bool)
    return ranked_average_precision(hits, sum(r > 0 for r in ratings.values()))


def segment_map(
    submission: Iterable[tuple[int, Sequence[str]]],
    ratings: Mapping[int, Mapping[str, float]],
    top_n: int = 0,
) -> tuple[float, dict[int, float]]:
    """Return (MAP over the classes of the submission, AP of each class).

    Source: starter code, segment_eval_inference. The AP of a class without positives is 0.

    Args:
      submission: (class, segments in descending order of confidence) for each class.
      ratings: class -> {`id:start`: rating}.
      top_n: keep the first `top_n` segments of each class (the challenge: 100,000); 0 keeps all.

    Raises:
      UserError: a class has two lines.
    """
    ap: dict[int, float] = {}
    for label, segments in submission:
        if label in ap:
            raise UserError(
                f"class {label} has two lines in the submission; expected one line per class."
            )
        ap[label] = segment_average_precision(segments, ratings.get(label, {}), top_n)
    return (sum(ap.values()) / len(ap) if ap else 0.0), ap
