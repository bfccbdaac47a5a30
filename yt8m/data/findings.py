"""The contents of record files, as found in a few records of a few shards."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from yt8m.data.files.kind import other_kind
from yt8m.data.files.scan import scan
from yt8m.data.files.shards import evenly_spaced
from yt8m.data.records.protos import sequence_example
from yt8m.data.schema import ID_KEYS, KEY_ALIASES, Level
from yt8m.errors import UserError

_MORE_SHARDS = 16  # that are looked at if the first ones have no record
_MORE_LOCAL_SHARDS = 32  # whose first records show the key of their ids, and labels
_FRAMES = 4  # frames of a record that are looked at closely
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
      others: what each key contains that is neither of these nor known, as text.
      widths: the widths of each feature in the records examined.
      samples: some frames of each feature that is bytes.
      ranges: least and largest value of each feature that is floats, at video level.
      strange_labels: what the labels are if they are not whole numbers, or "".
      id_key: key of the id, or "".
      id_keys: each key of an id, and the first file that has it.
      context: keys that every record has beside its frames.
      labels: list of labels of each record that has any.
      has_labels: whether any record of each file examined has a label.
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
    others: dict[str, str] = dataclasses.field(default_factory=dict)
    widths: dict[str, set[int]] = dataclasses.field(default_factory=dict)
    samples: dict[str, list[bytes]] = dataclasses.field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    strange_labels: str = ""
    id_key: str = ""
    id_keys: dict[str, str] = dataclasses.field(default_factory=dict)
    context: frozenset[str] = frozenset()
    labels: list[list[int]] = dataclasses.field(default_factory=list)
    has_labels: dict[str, bool] = dataclasses.field(default_factory=dict)
    frames: list[int] = dataclasses.field(default_factory=list)
    has_segments: bool = False
    unequal: int = 0
    records: int = 1

    def add(self, other: Findings) -> None:
        """Merge other findings into these; where both have a feature, the width here is kept."""
        if not self.sizes:  # records without a frame do not show their level
            self.level = other.level
        for name in ("sizes", "keys", "float_frames", "video_sizes", "others", "id_keys"):
            for feature, value in getattr(other, name).items():
                getattr(self, name).setdefault(feature, value)
        for feature, found in other.widths.items():
            self.widths.setdefault(feature, set()).update(found)
        for feature, frames in other.samples.items():
            self.samples.setdefault(feature, []).extend(frames)
        for feature, (least, most) in other.ranges.items():
            known = self.ranges.get(feature, (least, most))
            self.ranges[feature] = min(least, known[0]), max(most, known[1])
        self.strange_labels = self.strange_labels or other.strange_labels
        self.labels += other.labels
        for path, has in other.has_labels.items():
            self.has_labels[path] = has or self.has_labels.get(path, False)
        self.frames += other.frames
        self.unequal += other.unequal
        self.id_key = self.id_key or other.id_key
        self.context = self.context & other.context if self.records else other.context
        self.has_segments |= other.has_segments
        self.records += other.records

    def feature_names(self) -> list[str]:
        """Return the features in the usual order: rgb, audio, then others by name."""
        return sorted(self.sizes, key=_usual_order)

    def unread(self) -> dict[str, str]:
        """Return the keys that no reader takes, and what they contain."""
        return {key: what for key, what in self.others.items() if key not in self.sizes}

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


def look(payload: bytes, closely: bool = False, path: str = "") -> Findings | None:
    """Return the contents of one record, or None if it is neither type of example.

    Args:
      payload: the record.
      closely: also look at values, which takes time.
      path: its file.
    """
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
        _look_at_frames(lists, found, _FRAMES if closely else 0)
    else:
        found = Findings("video", sizes=widths, keys={key: key for key in widths})
        found.widths = {key: {size} for key, size in widths.items()}
        found.others = {
            key: _in_words(value)
            for key, value in context.items()
            if key not in widths and key not in _NOT_FEATURES
        }
        if closely:
            values = ((key, context[key].float_list.value) for key in widths)
            found.ranges = {key: (min(each), max(each)) for key, each in values}
    found.id_key = next((key for key in ID_KEYS if key in context), "")
    found.id_keys = {found.id_key: path} if found.id_key else {}
    found.context = frozenset(context)
    found.has_segments = "segment_start_times" in context
    if "labels" in context:
        kind = context["labels"].WhichOneof("kind")
        if kind == "int64_list":
            found.labels = [own] if (own := list(context["labels"].int64_list.value)) else []
        elif kind is not None:
            found.strange_labels = _in_words(context["labels"])
    found.has_labels = {path: bool(found.labels)} if path else {}
    return found


def _in_words(value: Any) -> str:
    """Return what a feature contains."""
    texts = value.bytes_list.value
    if len(texts) == 1:
        return f"one string of {len(texts[0]):,} bytes"
    if texts:
        sizes = sorted({len(text) for text in texts})
        size = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        return f"{len(texts):,} strings of {size} bytes"
    if value.int64_list.value:
        return f"{len(value.int64_list.value):,} whole numbers"
    return f"{len(value.float_list.value):,} floats" if value.float_list.value else "nothing"


def _look_at_frames(lists: Any, found: Findings, samples: int) -> None:
    for key, values in lists.items():
        if not values.feature:
            found.others[_NAMES.get(key, key)] = "a list without frames"
            continue
        first = values.feature[0]
        as_bytes = first.bytes_list.value
        size = len(as_bytes[0]) if as_bytes else len(first.float_list.value)
        if size:
            name = _NAMES.get(key, key)
            found.sizes[name], found.keys[name] = size, key
            found.float_frames[name] = not as_bytes
            found.widths[name] = {size}
            if as_bytes and samples:
                frames = [step.bytes_list.value[:1] for step in values.feature[:samples]]
                found.samples[name] = [own[0] for own in frames if own and len(own[0]) == size]
        else:
            found.others[key] = f"frames with {_in_words(first)}"
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
    rest = [path for path in files if path not in set(chosen)]
    whole: Findings | None = None
    strange, broken = "", ""
    for path in [*chosen, *evenly_spaced(rest, _MORE_SHARDS if rest else 0)]:
        if whole is not None and path not in chosen:
            break  # the others are looked at only if these have no record
        for offset, payload, problem in itertools.islice(_records(path, flag), records):
            if payload is None:
                broken = broken or _first_broken(path, offset, problem)
                continue
            one = look(payload, closely=True, path=path)
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
        _look_into_more(rest, flag, whole, records)
        return whole
    if strange:
        raise UserError(
            f"{flag}: {strange} is neither a tf.train.Example nor a SequenceExample with features;"
            " YouTube-8M records are one of the two."
        )
    few = f"{', '.join(files[:3])}{f' and {len(files) - 3:,} more' if len(files) > 3 else ''}"
    if broken:
        raise UserError(
            f"{flag}: {few} contain no complete record; {broken}. `yt8m inspect --full` lists what"
            " is broken; get the files again."
        )
    raise UserError(f"{flag}: {few} contain no complete record: every file examined is empty.")


def _look_into_more(files: Sequence[str], flag: str, whole: Findings, records: int) -> None:
    """Look into more shards for the keys of their ids and for labels, if these are local.

    One record of each is enough, unless it has no label and records before it had some.
    """
    records = records if whole.labels else 1
    local = [path for path in files if "://" not in path]
    for path in evenly_spaced(local, _MORE_LOCAL_SHARDS if local else 0):
        for _, payload, _ in itertools.islice(_records(path, flag), records):
            one = None if payload is None else look(payload, path=path)
            if one is None:
                break
            if one.id_key:
                whole.id_keys.setdefault(one.id_key, path)
            whole.has_labels[path] = bool(one.labels)
            if one.labels:
                break


def _first_broken(path: str, offset: int, problem: str) -> str:
    if offset or "checksum" in problem:
        return f"{path} is broken at byte {offset}: {problem}"
    return f"{path} is not a TFRecord file, or is damaged in its first record ({problem})"


def _records(path: str, flag: str) -> Iterator[tuple[int, bytes | None, str]]:
    """Yield offset and payload of a shard's records, and a problem in place of one payload.

    Training counts the broken ones; here only the first one is of interest.

    Raises:
      UserError: the file is of another kind.
    """
    is_said = False
    for record in scan(path):
        if record.payload is not None:
            yield record.offset, record.payload, ""
            continue
        if record.offset == 0 and record.lost and (other := other_kind(path)):
            raise UserError(f"{flag}: {path} is not a TFRecord file: it {other}.")
        if not is_said:
            yield record.offset, None, str(record.problem)
        is_said = True
