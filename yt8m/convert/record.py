"""The record of a video from its features: frame-level, or video-level with means."""

from __future__ import annotations

import numpy as np

from yt8m.convert.source import Features, Unusable, refuse_not_finite
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import frame_record, video_record
from yt8m.data.schema import Level


def level_of(features: Features) -> Level:
    """Return the level of the records that features make by themselves."""
    return "frame" if any(values.ndim == 2 for values in features.values()) else "video"


def renamed(features: Features, names: dict[str, str]) -> Features:
    """Return the features under other names."""
    return {names.get(name, name): values for name, values in features.items()}


def widths(features: Features) -> dict[str, tuple[str, int]]:
    """Return the kind and the width of each feature, which must be the same in all videos."""
    return {
        name: (f"{values.dtype} {'frames' if values.ndim == 2 else 'values'}", values.shape[-1])
        for name, values in sorted(features.items())
    }


class RecordMaker:
    """Makes records that all have the features of the first one.

    Args:
      level: what the records are.
    """

    def __init__(self, level: Level):
        self.level = level
        self.longest = 0
        self._widths: dict[str, tuple[str, int]] | None = None

    def make(self, name: str, features: Features, labels: list[int] | None) -> bytes:
        """Return the serialised record of a video.

        Raises:
          Unusable: its features differ from those of the first video, or are not finite.
        """
        found = widths(features)
        if self._widths is None:
            self._widths = found
        if found != self._widths:
            raise Unusable(
                f"it has {_listed(found)}, and the videos before it have {_listed(self._widths)}"
            )
        for key, values in features.items():
            refuse_not_finite(key, values)
        frames = {k: v for k, v in features.items() if v.ndim == 2}
        whole = {k: _floats(v) for k, v in features.items() if v.ndim == 1}
        if self.level == "video":
            means = {f"mean_{k}": _floats(v).mean(0) for k, v in frames.items()}
            return video_record(name.encode(), {**whole, **means}, labels)
        if not frames:
            raise Unusable("it has no frames, which --level=frame needs")
        self.longest = max(self.longest, *(len(v) for v in frames.values()))
        return frame_record(name.encode(), frames, labels, of_video=whole)


def _floats(values: np.ndarray) -> np.ndarray:
    return dequantize(values) if values.dtype == np.uint8 else values


def _listed(found: dict[str, tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({width} {kind})" for name, (kind, width) in found.items())
