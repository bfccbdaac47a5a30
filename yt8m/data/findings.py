"""The contents of record files, as found in a few records of a few shards."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from yt8m.data.files.scan import scan
from yt8m.data.files.shards import evenly_spaced
from yt8m.data.records.protos import sequence_example
from yt8m.data.schema import ID_KEYS, KEY_ALIASES, Level
from yt8m.errors import UserError

_NAMES = {alias: name for name, alias in KEY_ALIASES.items()}
_NOT_FEATURES = frozenset(
    {
        *ID_KEYS,
        "labels",
        "segment_start_times",
        "segment_end_times",
        "segment_labels",
        "segment_scores",
        # Where AudioSet's clip begins and ends in its video.
        "start_time_seconds",
        "end_time_seconds",
    }
)


@dataclasses.dataclass
class Findings:
    """The contents of some records.

    Attributes:
      level: "video" or "frame".
      sizes: width of each feature.
      keys: key of each feature in the records.
      float_frames: whether the frames of each feature are float lists.
      video_sizes: width of each float feature of the whole video in the context of frame-level
        records.
      id_key: key of the id, or "".
      context: keys that every record has beside its frames.
      labels: list of labels of each record that has any.
      frames: number of frames of each record.
      has_segments: whether there are rated segments.
      unequal: number of records whose features have different numbers of frames.
      records: number of records.
    """

    level: Level
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    keys: dict[str, str] = dataclasses.field(default_factory=dict)
    float_frames: dict[str, bool] = dataclasses.field(default_factory=dict)
    video_sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    id_key: str = ""
    context: frozenset[str] = frozenset()
    labels: list[list[int]] = dataclasses.field(default_factory=list)
    frames: list[int] = dataclasses.field(default_factory=list)
    has_segments: bool = False
    unequal: int = 0
    records: int = 1

    def add(self, other: Findings) -> None:
        """Merge other findings into these; where both have a feature, the width here is kept."""
        if not self.sizes:  # records without a frame do not show their level
            self.level = other.level
        for name in ("sizes", "keys", "float_frames", "video_sizes"):
            for feature, value in getattr(other, name).items():
                getattr(self, name).setdefault(feature, value)
        self.labels += other.labels
        self.frames += other.frames
        self.unequal += other.unequal
        self.id_key = self.id_key or other.id_key
        self.context = self.context & other.context if self.records else other.context
        self.has_segments |= other.has_segments
        self.records += other.records

    def feature_names(self) -> list[str]:
        """Return the features in the usual order: rgb, audio, then others by name."""
        return sorted(self.sizes, key=_usual_order)

    def listed(self) -> str:
        """Return the features with their widths, for messages."""
        text = _with_widths(self.sizes) or "no feature"
        if self.video_sizes:
            text += f", and for whole videos {_with_widths(self.video_sizes)}"
        return text


def _usual_order(name: str) -> tuple[int, str]:
    rank = 0 if "rgb" in name else 1 if "audio" in name else 2
    return rank, name


def _with_widths(sizes: dict[str, int]) -> str:
    return ", ".join(f"{n} ({sizes[n]})" for n in sorted(sizes, key=_usual_order))


def look(payload: bytes) -> Findings | None:
    """Return the contents of one record, or None if it is neither type of example."""
    record = sequence_example(payload)
    if record is None:
        return None
    lists, context = record.feature_lists.feature_list, record.context.feature
    if not context and not lists:
        return None
    widths = {
        key: len(value.float_list.value)
        for key, value in context.items()
        if key not in _NOT_FEATURES and value.float_list.value
    }
    if lists:
        found = Findings("frame", video_sizes=widths)
        _look_at_frames(lists, found)
    else:
        found = Findings("video", sizes=widths, keys={key: key for key in widths})
    found.id_key = next((key for key in ID_KEYS if key in context), "")
    found.context = frozenset(context)
    found.has_segments = "segment_start_times" in context
    if "labels" in context and context["labels"].int64_list.value:
        found.labels = [list(context["labels"].int64_list.value)]
    return found


def _look_at_frames(lists: Any, found: Findings) -> None:
    for key, values in lists.items():
        if not values.feature:
            continue
        first = values.feature[0]
        as_bytes = first.bytes_list.value
        size = len(as_bytes[0]) if as_bytes else len(first.float_list.value)
        if size:
            name = _NAMES.get(key, key)
            found.sizes[name], found.keys[name] = size, key
            found.float_frames[name] = not as_bytes
    steps = [len(values.feature) for values in lists.values()]
    found.frames = [min(steps)]
    found.unequal = int(min(steps) < max(steps))


def examine(
    files: Sequence[str], flag: str = "--train_data_pattern", shards: int = 3, records: int = 8
) -> Findings:
    """Return the contents of the first records of some shards.

    Args:
      files: all shards.
      flag: flag that named them, for messages.
      shards: number of shards to examine, evenly spaced.
      records: number of records of each.

    Raises:
      UserError: a shard is not a TFRecord file of examples or is empty, or levels are mixed.
    """
    chosen = evenly_spaced(files, shards)
    whole: Findings | None = None
    strange = ""
    for path in chosen:
        for offset, payload in itertools.islice(_whole_records(path, flag), records):
            one = look(payload)
            if one is None:
                strange = strange or f"the record at byte {offset} of {path}"
            elif whole is None:
                whole = one
            elif one.level != whole.level and one.sizes and whole.sizes:
                raise UserError(
                    f"{flag} mixes {whole.level}-level and {one.level}-level records ({path}); name"
                    " files of one level only."
                )
            else:
                whole.add(one)
    if whole is not None:
        return whole
    if strange:
        raise UserError(
            f"{flag}: {strange} is neither a tf.train.Example nor a SequenceExample with features;"
            " YouTube-8M records are one of the two."
        )
    raise UserError(f"{flag}: {', '.join(chosen)} contain no complete record.")


def _whole_records(path: str, flag: str) -> Iterator[tuple[int, bytes]]:
    """Yield offset and payload of a shard's intact records; training counts the broken ones."""
    for record in scan(path):
        if record.payload is not None:
            yield record.offset, record.payload
        elif record.offset == 0 and record.lost:
            raise UserError(
                f"{flag}: {path} is not a TFRecord file, or is cut off in its first record"
                f" ({record.problem})."
            )
