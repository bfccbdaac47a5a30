"""What the values of features are like, as lines for `yt8m inspect`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from yt8m.data.features.of_release import has_release_features
from yt8m.data.features.statistics import FeatureStatistics, learn_statistics, read_rows
from yt8m.data.records.quantization import ValuesCutOff
from yt8m.data.schema import RecordSchema

_FEW = 24  # records that show what most of them are like
_MANY_ENDS = 0.25
_RECORDS = {"video": 1024, "frame": 128}


def cut_off(files: Sequence[str], schema: RecordSchema) -> str:
    """Return a line about bytes of which many are 0 or 255, or "".

    Args:
      files: shards, of which a few records are read.
      schema: schema of their records.
    """
    if schema.level == "video" or schema.float_frames:
        return ""
    found = learn_statistics(files, schema, _FEW)
    if found is None or found.at_ends is None:
        return ""
    ends = np.cumsum(schema.feature_sizes)
    parts = zip(schema.feature_names, [0, *ends], ends)
    shares = {name: float(found.at_ends[first:end].mean()) for name, first, end in parts}
    many = [f"{share:.0%} of {name}" for name, share in shares.items() if share > _MANY_ENDS]
    if not many:
        return ""
    return (
        f"{' and '.join(many)} is 0 or 255, where a release has 5 to 10%: the values were cut off"
        " when they became bytes, or are no bytes of this code (`yt8m conformance` compares them)"
    )


def values_cut_off(files: Sequence[str], schema: RecordSchema) -> str:
    """Return a line about float frames beyond what bytes hold, or "".

    Args:
      files: shards, of which a few records are read.
      schema: schema of their records, which have float frames.
    """
    counted, ends = ValuesCutOff(), np.cumsum(schema.feature_sizes)
    for rows, _ in read_rows(files, dataclasses.replace(schema, frames_as="float32"), _FEW):
        for name, first, end in zip(schema.feature_names, [0, *ends], ends):
            counted.add(name, rows[:, first:end])
    line = counted.line()
    return f"in the first records, {line}" if line else ""


def _ends_in_words(found: FeatureStatistics, part: slice, schema: RecordSchema) -> str:
    if schema.level == "video" or schema.float_frames or found.at_ends is None:
        return ""
    return f"; {found.at_ends[part].mean():.1%} of the bytes are 0 or 255"


def about_values(files: Sequence[str], schema: RecordSchema) -> Iterator[str]:
    """Yield a line about each feature's values, and one about what training does with them.

    Args:
      files: shards.
      schema: schema of their records.
    """
    schema = dataclasses.replace(schema, segment_labels=False)
    found = learn_statistics(files, schema, _RECORDS[schema.level])
    if found is None:
        return
    ends = np.cumsum(schema.feature_sizes)
    for name, first, end in zip(schema.feature_names, [0, *ends], ends):
        part = slice(first, end)
        constant = int(np.count_nonzero(~found.varies[part]))
        yield (
            f"values of {name}: from {found.least[part].min():.4g} to {found.most[part].max():.4g},"
            f" means {found.mean[part].min():.3g} to {found.mean[part].max():.3g}, spreads"
            f" {found.std[part].min():.3g} to {found.std[part].max():.3g}"
            + (f"; {constant} of {end - first} have one value only" if constant else "")
            + _ends_in_words(found, part, schema)
            + f" (of {found.records:,} records)"
        )
    if has_release_features(files, schema):
        yield "training normalizes them as each model does for a release (--input_norm)"
    else:
        yield "training standardizes them: they are no release's (--input_norm)"
