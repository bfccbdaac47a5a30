"""Flags of the starter code's eval.py and inference.py that repeat a run's own settings."""

from __future__ import annotations

from typing import Any

from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.config import RunConfig

_HEADS = {"moe": "MoeModel", "logistic": "LogisticModel"}  # A head has two names.
_HEAD_FLAG = "video_level_classifier_model"


def check_overrides(config: RunConfig, given: dict[str, Any]) -> None:
    """Refuse flags that contradict the run; flags that repeat its settings are harmless.

    A run on whole videos may be applied to segments, as in the starter code, but not the reverse.

    Args:
      config: the run's settings.
      given: flag -> value, None where the flag was not given.

    Raises:
      UserError: it shows each difference.
    """
    given = {flag: _whole_name(flag, value) for flag, value in given.items() if value is not None}
    known = _settings(config, bool(given.get("segment_labels")))
    if not given.keys() <= known.keys():
        known = {**_model_settings(config), **known}
    missing = f"(no such argument in {config.model.name})"
    own = {flag: known.get(flag, missing) for flag in given}
    wrong = [
        f"  --{flag}: the run has {own[flag]!r}, the flag says {value!r}"
        for flag, value in given.items()
        if value != own[flag]
    ]
    if wrong:
        raise UserError(
            "these flags contradict the run's config.json:\n"
            + "\n".join(wrong)
            + "\nDrop them; the run's own settings are used."
        )


def _settings(config: RunConfig, segments_asked: bool) -> dict[str, Any]:
    return {
        "model": config.model.name,
        "feature_names": list(config.schema.all_names),
        "feature_sizes": list(config.schema.all_sizes),
        "frame_features": config.schema.level == "frame",
        "num_classes": config.schema.num_classes,
        "label_loss": config.recipe.label_loss,
        "segment_labels": config.schema.segment_labels or segments_asked,
        "iterations": config.recipe.train_frames,
        "sample_random_frames": config.recipe.frame_sampling != "contiguous",
    }


def _model_settings(config: RunConfig) -> dict[str, Any]:
    """Return the values of the starter code's model flags that the run's model has."""
    schema = config.schema
    model = registry.create(
        config.model.name,
        num_classes=schema.num_classes,
        feature_sizes=schema.feature_sizes,
        **config.model.arguments,
    )
    arguments = model.get_config()
    return {flag: _whole_name(flag, arguments[name]) for flag, name in model.starter_flags.items()}


def _whole_name(flag: str, value: Any) -> Any:
    return _HEADS.get(value, value) if flag == _HEAD_FLAG else value
