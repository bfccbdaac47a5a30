"""Lines that say how far an evaluation is."""

from __future__ import annotations

import time
from typing import Callable

from yt8m.evaluation.evaluate import Pairs
from yt8m.runs.progress import duration

EVERY_SECONDS = 10.0


def with_progress(
    pairs: Pairs,
    expected: int,
    what: str,
    say: Callable[[str], None],
) -> Pairs:
    """Yield (batch, predictions) pairs, and say now and then how many examples these were.

    Args:
      pairs: a pass over a data set.
      expected: about how many examples there will be; 0 if that is not known.
      what: the name of the examples.
      say: prints a line.
    """
    start = said = time.monotonic()
    done = 0
    for batch, predictions in pairs:
        yield batch, predictions
        done += len(predictions)
        now = time.monotonic()
        if now - said >= EVERY_SECONDS:
            said, rate = now, done / max(now - start, 1e-9)
            of = f" of about {expected:,}" if expected > done else ""
            left = f", {duration((expected - done) / rate)} left" if expected > done else ""
            say(f"{done:,}{of} {what}, {rate:,.0f} per second{left}")
