"""Which video goes into which shard, which the seed and the number of videos alone determine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from yt8m.convert.settings import ConvertSettings
from yt8m.errors import UserError

SHARD_BYTES = 64 << 20
_WAVE_BYTES = 256 << 20  # records that are held in memory before their shards are written


def split(count: int, settings: ConvertSettings) -> dict[str, list[int]]:
    """Return split -> places of its videos, in a random order.

    Raises:
      UserError: the fractions are more than the whole, or leave nothing of a split.
    """
    validate, test = settings.validate_fraction, settings.test_fraction
    if validate + test > 1:
        raise UserError(
            f"--validate_fraction={validate:g} and --test_fraction={test:g} are more than 1"
            " together; lower one."
        )
    order = np.random.default_rng([settings.seed, count]).permutation(count)
    sizes = {"validate": round(validate * count), "test": round(test * count)}
    for name, fraction in (("validate", validate), ("test", test)):
        if fraction and not sizes[name]:
            raise UserError(
                f"--{name}_fraction={fraction:g} of {count} videos is none; raise it, or set 0."
            )
    sizes["train"] = count - sum(sizes.values())
    found, at = {}, 0
    for name in ("train", "validate", "test"):
        found[name] = order[at : at + max(sizes[name], 0)]
        at += len(found[name])
    return {name: places.tolist() for name, places in found.items() if len(places)}


def shards(
    splits: Mapping[str, Sequence[int]], record_bytes: int, training_shards: int
) -> dict[str, list[int]]:
    """Return file name -> places of its videos.

    Args:
      splits: from `split`.
      record_bytes: size of a record.
      training_shards: number of shards of the training split, to which those of the others are
        proportional; 0 takes one for each 64 MB.
    """
    largest = len(splits.get("train", next(iter(splits.values()))))
    found = {}
    for name, places in splits.items():
        if training_shards:
            count = round(training_shards * len(places) / largest)
        else:
            count = math.ceil(record_bytes * len(places) / SHARD_BYTES)
        parts = np.array_split(np.asarray(places), min(max(count, 1), len(places)))
        for number, part in enumerate(parts):
            found[f"{name}{number:05d}.tfrecord"] = part.tolist()
    return found


def waves(
    missing: Mapping[str, Sequence[int]], record_bytes: int
) -> Iterator[dict[str, Sequence[int]]]:
    """Yield the shards that are made in one pass over the input, which memory limits."""
    wave: dict[str, Sequence[int]] = {}
    held = 0
    for name, places in missing.items():
        size = record_bytes * len(places)
        if wave and held + size > _WAVE_BYTES:
            yield wave
            wave, held = {}, 0
        wave[name] = places
        held += size
    if wave:
        yield wave
