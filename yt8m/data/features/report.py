"""What the values of features are like, as lines for `yt8m inspect`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from yt8m.data.features.of_release import has_release_features
from yt8m.data.features.statistics import learn_statistics
from yt8m.data.schema import RecordSchema

_RECORDS = {"video": 1024, "frame": 128}


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
            + f" (of {found.records:,} records)"
        )
    if has_release_features(files, schema):
        yield "training normalizes them as each model does for a release (--input_norm)"
    else:
        yield "training standardizes them: they are no release's (--input_norm)"
