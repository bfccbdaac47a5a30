"""The starter code's flags of evaluation and inference that config.json makes unnecessary."""

from __future__ import annotations

from typing import Any

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.starter_flags import RecordedSettings, StarterModelFlags
from yt8m.flags import Section
from yt8m.runs.settings.data import DataSettings

_GROUP = "Recorded in the run (a flag that contradicts the run's config.json is refused)"
SECTIONS = (Section(RecordedSettings, group=_GROUP), Section(StarterModelFlags, group=_GROUP))


def given_overrides(values: FlagValues) -> dict[str, Any]:
    """Return flag -> value for the flags of `SECTIONS` and `segment_labels`, None if not given."""
    from yt8m.models.core import registry

    recorded = flags.read(RecordedSettings, values)
    features = DataSettings(recorded.feature_names, recorded.feature_sizes)
    return {
        **vars(recorded),
        **vars(flags.read(StarterModelFlags, values)),
        "model": None if recorded.model is None else registry.own_name(recorded.model),
        "feature_names": features.names(),
        "feature_sizes": features.sizes(),
        "segment_labels": values.segment_labels,
    }
