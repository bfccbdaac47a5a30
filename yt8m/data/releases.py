"""Which published release records belong to, judged by several signs and never by one key alone."""

from __future__ import annotations

import dataclasses

from yt8m.data.findings import Findings
from yt8m.data.schema import KEY_ALIASES, MAX_FRAMES, Level, RecordSchema


@dataclasses.dataclass(frozen=True)
class Release:
    """What the records of a published release have in common.

    Source: docs/sources.md#releases, docs/sources.md#audioset.

    Attributes:
      name: its name as --release takes it.
      about: its name in messages.
      num_classes: K.
      id_key: key of the id; "" if its records cannot be recognized.
      frames: width of each feature in frame-level records; the first is never absent.
      videos: the same for video-level records.
      context: keys that each record has besides.
      max_frames: the most frames of a record.
    """

    name: str
    about: str
    num_classes: int
    id_key: str = ""
    frames: dict[str, int] = dataclasses.field(default_factory=dict)
    videos: dict[str, int] = dataclasses.field(default_factory=dict)
    context: tuple[str, ...] = ()
    max_frames: int = MAX_FRAMES

    def features(self, level: Level) -> dict[str, int]:
        """Return the width of each feature in the records of a level."""
        return self.frames if level == "frame" else self.videos

    def signs(self, found: Findings) -> str | None:
        """Return the signs by which records are of this release, as text, or None if they are not.

        Features that the release does not have say nothing: owners of records add some.
        """
        known = self.features(found.level)
        shared = [name for name in known if name in found.sizes]
        labels = [label for each in found.labels for label in each]
        agrees = (
            self.id_key != ""
            and found.id_key == self.id_key
            and shared[:1] == [*known][:1]
            and all(found.sizes[name] == known[name] for name in shared)
            and all(found.keys[name] == name for name in shared)
            and found.context.issuperset(self.context)
            and max(labels, default=-1) < self.num_classes
            and max(found.frames, default=0) <= self.max_frames
        )
        if not agrees:
            return None
        widths = [f"{name} ({known[name]})" for name in shared]
        length = [f"at most {self.max_frames} frames"] if self.max_frames < MAX_FRAMES else []
        below = [f"labels below {self.num_classes}"] if labels else []
        return ", ".join([self.id_key, *self.context, *widths, *length, *below])


_RGB, _MEAN_RGB = {"rgb": 1024}, {"mean_rgb": 1024}
_BOTH = {**_RGB, "audio": 128}
_MEANS = {**_MEAN_RGB, "mean_audio": 128}
# The key of the id became `id` in May 2018. Sports-1M, with features of the same kind, is what the
# owners of its videos can make (KDD 2019, Table 3), and its records look like any other.
_ALL = (
    Release("v1", "YouTube-8M of September 2016", 4800, "video_id", _RGB, _MEAN_RGB),
    Release("v2", "YouTube-8M of February 2017", 4716, "video_id", _BOTH, _MEANS),
    Release("v3", "YouTube-8M of May 2018", 3862, "id", _BOTH, _MEANS),
    Release(
        "audioset", "AudioSet", 527, "video_id", {"audio_embedding": 128},
        context=("start_time_seconds", "end_time_seconds"), max_frames=10,
    ),
    Release("sports1m", "Sports-1M", 487),
)  # fmt: skip
RELEASES = {release.name: release for release in _ALL}


# The releases' values are bytes from -1.992 to 2.008, or means of them.
LARGEST = 2.01


def features_of_release(found: Findings) -> list[str]:
    """Return the features that are a release's, or none.

    Their names, widths and form must be the release's, its first feature must be there, and means
    must be in its range and of both signs. The labels and ids may be others: features are not.
    """
    best: list[str] = []
    for release in _ALL:
        own = [n for n, size in release.features(found.level).items() if _is_own(found, n, size)]
        if len(own) > len(best) and own[0] == next(iter(release.features(found.level))):
            best = own
    return best


def _is_own(found: Findings, name: str, size: int) -> bool:
    if found.sizes.get(name) != size:
        return False
    if found.level == "frame":
        is_alias = found.keys[name] == KEY_ALIASES.get(name)
        return found.float_frames[name] == is_alias  # MediaPipe's are floats
    least, most = found.ranges.get(name, (-1.0, 1.0))
    return -LARGEST <= least < 0 < most <= LARGEST


def usual_features(found: Findings) -> list[str]:
    """Return the features that are read if none are named.

    Beside those of a release, records may have what their owners added, such as a duration. That
    is read where it is named. So is a single number beside features of other widths.
    """
    own = features_of_release(found)
    if own:
        return [name for name in found.feature_names() if name in own]
    wide = [name for name in found.feature_names() if found.sizes[name] > 1]
    return wide or found.feature_names()


def has_names_of_release(schema: RecordSchema) -> bool:
    """Return whether the features have the names of a release's, in a form that it has.

    Their widths may be others, and so may be their labels. MediaPipe writes the features of the
    release as float lists under keys of its own, which count only with the release's widths.
    """
    known = [pair for release in _ALL for pair in release.features(schema.level).items()]
    pairs = list(zip(schema.feature_names, schema.feature_sizes))
    if schema.float_frames:
        return set(schema.keys) <= set(KEY_ALIASES.values()) and set(pairs) <= set(known)
    return set(schema.feature_names) <= {name for name, _ in known}


def recognized(found: Findings) -> tuple[Release, str] | None:
    """Return the release of records and the signs that speak for it, or None.

    Of two releases with the same signs, it is the one with more of the records' features.
    """
    fitting = [(release, text) for release in _ALL if (text := release.signs(found))]

    def shared(fit: tuple[Release, str]) -> int:
        return len(fit[0].features(found.level).keys() & found.sizes.keys())

    return max(fitting, key=shared, default=None)
