"""Features in protocol buffers: MediaPipe's files of one video each, and TFRecords of many."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from yt8m.convert.source import Features, Item, Source, Unusable, gone, refuse_not_finite
from yt8m.data.files.scan import scan
from yt8m.data.records.protos import context_features, sequence_example
from yt8m.data.records.quantization import ValuesCutOff, quantize
from yt8m.data.schema import ID_KEYS, KEY_ALIASES
from yt8m.errors import UserError

_LABELS = ("labels", "clip/label/index", "clip/label/string")
_NOT_FEATURES = ("segment_", "start_time_seconds", "end_time_seconds", "clip/", "image/")
_NAMES = {alias: name for name, alias in KEY_ALIASES.items()}
_WIDTHS = {"rgb": 1024, "audio": 128}
_AUDIOSET = {"audio_embedding": "audio"}


class _Protos(Source):
    """Videos in protocol buffers, whose values that become bytes are counted."""

    def __init__(self, paths: Sequence[str]):
        self._paths = list(paths)
        self._cut = ValuesCutOff()

    def remarks(self) -> list[str]:
        """Return a line about the values that were cut off since the last call, if any were."""
        line, self._cut = self._cut.line(), ValuesCutOff()
        return [line] if line else []


class MediaPipeFiles(_Protos):
    """`.pb` files, each a bare SequenceExample as MediaPipe writes it.

    The id is the name of the video file in `clip/data_path`, or else that of the `.pb` file. The
    features of MediaPipe's YouTube-8M graph become bytes, as in the release; others stay floats.

    Args:
      paths: the files.
    """

    def items(self) -> Iterator[Item]:
        """Yield the video of each file."""
        for path in self._paths:
            with open(path, "rb") as f:
                context = context_features(f.read())
            found = _text(context, ("clip/data_path",)) if context is not None else ""
            labels = _labels(context) if context is not None else None
            yield Item(_stem(found) or _stem(path), labels)

    def read(self, wanted: Sequence[int]) -> Iterator[Features | Unusable]:
        """Yield the features of some files."""
        for place in wanted:
            with open(self._paths[place], "rb") as f:
                yield _features(f.read(), self._cut)


class RecordFiles(_Protos):
    """TFRecords of examples, such as those of AudioSet.

    Args:
      paths: the files.
    """

    def items(self) -> Iterator[Item]:
        """Yield the video of each record.

        Raises:
          UserError: a record is broken, or has ratings of segments, which would be lost.
        """
        for number, payload in enumerate(self._payloads()):
            context = context_features(payload)
            if context is not None and "segment_start_times" in context:
                raise UserError(
                    "--input: these records have ratings of segments, which cannot be converted;"
                    " they are in the official format already."
                )
            found = _text(context, ID_KEYS) if context is not None else ""
            yield Item(found or f"record{number}", _labels(context) if context else None)

    def read(self, wanted: Sequence[int]) -> Iterator[Features | Unusable]:
        """Yield the features of some records."""
        places = iter([*wanted, -1])
        place = next(places)
        for number, payload in enumerate(self._payloads()):
            if number == place:
                yield _features(payload, self._cut)
                place = next(places)
        if place >= 0:
            raise UserError(gone(",".join(self._paths), "records"))

    def _payloads(self) -> Iterator[bytes]:
        for path in self._paths:
            for record in scan(path):
                if record.payload is None:
                    raise UserError(
                        f"--input: {path} is broken at byte {record.offset} ({record.problem})."
                    )
                yield record.payload


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _text(context: Any, keys: Sequence[str]) -> str:
    for key in keys:
        if key in context and context[key].bytes_list.value:
            return context[key].bytes_list.value[0].decode("utf-8", "replace")
    return ""


def _labels(context: Any) -> tuple[str, ...] | None:
    for key in _LABELS:
        if key in context:
            as_bytes = context[key].bytes_list.value
            if as_bytes:
                return tuple(value.decode("utf-8", "replace") for value in as_bytes)
            return tuple(str(value) for value in context[key].int64_list.value)
    return None


def _features(payload: bytes, cut: ValuesCutOff) -> Features | Unusable:
    record = sequence_example(payload)
    if record is None:
        return Unusable("it is neither a tf.train.Example nor a SequenceExample")
    found: Features = {}
    for key, value in record.context.feature.items():
        if value.float_list.value and not key.startswith(_NOT_FEATURES):
            found[key] = np.array(value.float_list.value, np.float32)
    for key, steps in record.feature_lists.feature_list.items():
        if key.startswith(_NOT_FEATURES) or not steps.feature:
            continue
        try:
            name, frames = _frames(key, steps.feature, cut)
        except Unusable as error:
            return error
        except (ValueError, IndexError):
            return Unusable(f"{key} has frames of different widths, or some without values")
        if frames is not None:
            found[name] = frames
    return found or Unusable("it has no features")


def _frames(key: str, steps: Sequence[Any], cut: ValuesCutOff) -> tuple[str, np.ndarray | None]:
    """Return a feature's name and its frames [n, D], or None if they are no numbers."""
    if steps[0].bytes_list.value:
        rows = [np.frombuffer(step.bytes_list.value[0], np.uint8) for step in steps]
        return _AUDIOSET.get(key, key), np.stack(rows)
    if not steps[0].float_list.value:
        return key, None
    frames = np.stack([np.array(step.float_list.value, np.float32) for step in steps])
    name = _NAMES.get(key, key.removesuffix("/feature/floats").lower())
    if key in _NAMES and frames.shape[1] == _WIDTHS[name]:
        refuse_not_finite(name, frames)
        cut.add(name, frames)
        return name, quantize(frames)
    return name, frames
