"""What is this file? The level and the features, found from a few records of a few shards, never guessed from names.

`python -m yt8m.data.inspect PATTERN [--full]` prints it, with every broken record by file and byte: those whose
checksum is wrong, those that do not parse, and those with values that are not finite.
"""

from __future__ import annotations

import yt8m.quiet  # noqa: F401

import argparse
import dataclasses
import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from yt8m.data import vocabulary as vocabularies
from yt8m.data.files.bad_records import BadRecord
from yt8m.data.files.count import count_records
from yt8m.data.files.scan import scan
from yt8m.data.files.shards import find_shards
from yt8m.data.records.check import RecordCheck, checked_scan
from yt8m.data.schema import (
    ID_KEYS,
    KEY_ALIASES,
    MAX_FRAMES,
    RELEASES,
    SEGMENT_FRAMES,
    RecordSchema,
)
from yt8m.errors import UserError

_NOT_FEATURES = frozenset(
    {
        *ID_KEYS,
        "labels",
        "segment_start_times",
        "segment_end_times",
        "segment_labels",
        "segment_scores",
    }
)


@dataclasses.dataclass
class Findings:
    """What a few records showed.

    Attributes:
      level: "video" or "frame".
      sizes: feature -> width.
      keys: feature -> key in the records.
      float_frames: feature -> whether its frames are float lists.
      video_sizes: of frame-level records, float feature of the whole video (in the context) -> width.
      id_key: where the id lies, or "".
      labels: one list of labels a record that has some.
      frames: frames of each record.
      has_segments: whether there are rated segments.
      unequal: records whose features differ in their number of frames.
      records: how many were looked at.
    """

    level: str
    sizes: dict[str, int]
    keys: dict[str, str]
    float_frames: dict[str, bool]
    video_sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    id_key: str = ""
    labels: list[list[int]] = dataclasses.field(default_factory=list)
    frames: list[int] = dataclasses.field(default_factory=list)
    has_segments: bool = False
    unequal: int = 0
    records: int = 0


def _look(payload: bytes) -> Findings | None:
    """Return what one record holds, or None where it is neither kind of example."""
    try:
        record = tf.train.SequenceExample.FromString(payload)
    except Exception:  # protobuf's DecodeError lies elsewhere in each of its versions
        return None
    lists = record.feature_lists.feature_list
    found = Findings("frame" if lists else "video", {}, {}, {}, records=1)
    context = record.context.feature  # an Example's features have the same place in the bytes
    if not context and not lists:
        return None
    names = {alias: name for name, alias in KEY_ALIASES.items()}
    if lists:
        for key, values in lists.items():
            name = names.get(key, key)
            steps = values.feature
            if not steps:
                continue
            as_bytes = steps[0].bytes_list.value
            size = len(as_bytes[0]) if as_bytes else len(steps[0].float_list.value)
            if size:
                found.sizes[name], found.keys[name], found.float_frames[name] = (
                    size,
                    key,
                    not as_bytes,
                )
        steps = [len(v.feature) for v in lists.values()]
        found.frames, found.unequal = (
            [min(steps, default=0)],
            int(min(steps, default=0) < max(steps, default=0)),
        )
    widths = {
        k: len(v.float_list.value)
        for k, v in context.items()
        if k not in _NOT_FEATURES and v.float_list.value
    }
    if lists:
        found.video_sizes = widths
    else:
        found.sizes, found.keys = widths, {key: key for key in widths}
    found.id_key = next((k for k in ID_KEYS if k in context), "")
    if "labels" in context and context["labels"].int64_list.value:
        found.labels = [list(context["labels"].int64_list.value)]
    found.has_segments = "segment_start_times" in context
    return found


def _order(name: str) -> tuple[int, str]:
    for rank, part in enumerate(("rgb", "audio")):
        if part in name:
            return rank, name
    return 2, name


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{n} ({sizes[n]})" for n in sorted(sizes, key=_order))


def examine(
    files: Sequence[str], flag: str = "--train_data_pattern", shards: int = 3, records: int = 8
) -> Findings:
    """Look at the first `records` of up to `shards` shards.

    Raises:
      UserError: a shard is not a TFRecord file of examples, or is empty.
    """
    chosen = sorted({files[i] for i in np.linspace(0, len(files) - 1, shards).astype(int)})
    whole: Findings | None = None
    strange = ""
    for path in chosen:
        seen = 0
        for record in scan(path):
            if record.problem is not None:
                if record.offset == 0 and record.lost:  # a broken payload is training's to skip
                    raise UserError(
                        f"{flag}: {path} is not a TFRecord file, or is cut off in its first record ({record.problem})."
                    )
                continue
            one = _look(record.payload)
            seen += 1
            if one is None:
                strange = strange or f"the record at byte {record.offset} of {path}"
            elif whole is None:
                whole = one
            elif one.level != whole.level and one.sizes and whole.sizes:
                raise UserError(
                    f"{flag} mixes {whole.level}-level and {one.level}-level records ({path}); give one kind."
                )
            else:
                if not whole.sizes:  # records without a frame do not tell their level
                    whole.level = one.level
                for table in ("sizes", "keys", "float_frames", "video_sizes"):
                    known = getattr(whole, table)
                    known.update(
                        {**getattr(one, table), **known}
                    )  # one record of another width does not change it
                whole.labels += one.labels
                whole.frames += one.frames
                whole.unequal += one.unequal
                whole.id_key = whole.id_key or one.id_key
                whole.has_segments |= one.has_segments
                whole.records += 1
            if seen >= records:
                break
    if whole is None and strange:
        raise UserError(
            f"{flag}: {strange} is neither a tf.train.Example nor a"
            " SequenceExample with features; YouTube-8M records are one of the two."
        )
    if whole is None:
        raise UserError(f"{flag}: {', '.join(chosen)} hold no whole record.")
    return whole


def _classes(found: Findings, files: Sequence[str], vocabulary_file: str) -> tuple[int, str]:
    path = vocabulary_file or vocabularies.beside(list(files))
    if path:
        return vocabularies.read_vocabulary(path).num_classes, f"the rows of {path}"
    if found.id_key == "video_id":
        release = "v2" if any("audio" in n for n in found.sizes) else "v1"
    else:
        release = "v3"
    return RELEASES[release], f"release {release}, told by the id's key {found.id_key or '(none)'}"


def find_schema(
    files: Sequence[str],
    feature_names: Sequence[str] | None = None,
    feature_sizes: Sequence[int] | None = None,
    num_classes: int | None = None,
    segment_labels: bool = False,
    frame_features: bool | None = None,
    max_frames: int = MAX_FRAMES,
    vocabulary_file: str = "",
    flag: str = "--train_data_pattern",
    num_classes_from: str = "--num_classes",
    rated: bool = True,
) -> tuple[RecordSchema, str]:
    """Return the schema of shards, and a line that says what was found and how.

    Args:
      files: shards.
      feature_names, feature_sizes, frame_features: what the user said, checked against the records; None is found.
        Features of whole videos in frame-level records are read where they are named.
      num_classes: K; None: the rows of a vocabulary file (given, or lying beside the shards), else the release's.
      segment_labels: read five-second segments in place of whole videos.
      max_frames: T.
      vocabulary_file: path, or "".
      flag: names the pattern in messages.
      num_classes_from: says where `num_classes` comes from.
      rated: segments must have ratings; False: any video can be cut into them.

    Raises:
      UserError: the records are not what was said.
    """
    found = examine(files, flag)
    listed = _listed(found.sizes) or "no feature"
    if found.video_sizes:
        listed += f", of whole videos {_listed(found.video_sizes)}"
    if frame_features is not None and frame_features != (found.level == "frame"):
        said = "frame" if frame_features else "video"
        raise UserError(
            f"{flag} holds {found.level}-level records with {listed}, but"
            f" --frame_features={str(frame_features).lower()} says {said}-level;"
            f" drop the flag, or name {said}-level files."
        )
    if segment_labels and not rated and found.level != "frame" and found.sizes:
        raise UserError(
            f"--segment_labels: segments are cut from frames, but {flag} holds {found.level}-level records with {listed};"
            " name frame-level files."
        )
    if segment_labels and rated and not found.has_segments:
        raise UserError(
            f"--segment_labels: the records of {flag} have no segment_start_times; drop the flag or name the"
            " 2019 files."
        )
    names = list(feature_names) if feature_names else sorted(found.sizes, key=_order)
    unknown = [n for n in names if n not in found.sizes and n not in found.video_sizes]
    if unknown or not names:
        raise UserError(
            f"--feature_names: {', '.join(unknown) or 'nothing'} is not in the records of {flag}, which hold {listed}."
        )
    sizes = [found.sizes.get(n) or found.video_sizes[n] for n in names]
    if feature_sizes and list(feature_sizes) != sizes:
        raise UserError(
            f"--feature_sizes={','.join(map(str, feature_sizes))} does not fit --feature_names={','.join(names)}: the"
            f" records have {','.join(map(str, sizes))}."
        )
    video_names = [n for n in names if n not in found.sizes]
    names = [n for n in names if n in found.sizes]
    if not names:
        raise UserError(
            f"--feature_names={','.join(video_names)} names no feature of the frames in {flag}, which hold {listed};"
            " name one of those too."
        )
    how = num_classes_from
    if num_classes is None:
        num_classes, how = _classes(found, files, vocabulary_file)
    floats = [n for n in names if found.float_frames.get(n, False)]
    if floats and len(floats) < len(names):
        raise UserError(
            f"--feature_names={','.join(names)}: in the records of {flag}, {', '.join(floats)} is a float list"
            " and the rest are bytes; name features of one kind."
        )
    if (
        found.unequal and len(names) > 1
    ):  # said here, once, since a look in the parser costs 3% of its speed
        logging.warning(
            "%s: %d of %d records looked at have more frames of one feature than of another; only the common first ones of each"
            " video are used. `python -m yt8m.data.inspect --full` counts them all.", flag, found.unequal, found.records,
        )  # fmt: skip
    keys = tuple(found.keys[n] for n in names)
    schema = RecordSchema(
        level=found.level,
        feature_names=tuple(names),
        feature_sizes=tuple(found.sizes[n] for n in names),
        num_classes=int(num_classes),
        max_frames=SEGMENT_FRAMES if segment_labels else max_frames,
        segment_labels=segment_labels,
        feature_keys=() if keys == tuple(names) else keys,
        float_frames=bool(floats),
        video_names=tuple(video_names),
        video_sizes=tuple(found.video_sizes[n] for n in video_names),
    )
    if schema.segment_labels:
        schema = dataclasses.replace(schema, max_frames=MAX_FRAMES)
    return schema, f"{found.level}-level records with {listed}; {num_classes} classes ({how})"


def _read_all(
    files: Sequence[str], schema: RecordSchema | None
) -> tuple[list[list[int]], list[int], int, int, list[BadRecord]]:
    """Return (labels, frames, records of unequal features, records, the broken) of every record; without a schema, parsing is not tried."""
    labels, frames, unequal, looked, bad = [], [], 0, 0, []
    check = RecordCheck(schema) if schema else None
    for path in files:
        for record in checked_scan(path, check, finite=True) if check else scan(path):
            one = _look(record.payload) if record.problem is None else None
            if one is None:
                bad.append(BadRecord(path, record.offset, record.problem or "not an example"))
                continue
            labels += one.labels
            frames += one.frames
            unequal += one.unequal
            looked += 1
    return labels, frames, unequal, looked, bad


def report(files: Sequence[str], full: bool) -> int:
    """Print what files hold; return the number of broken records (looked for in all of each file if `full`)."""
    schema: RecordSchema | None = None
    unknown: UserError | None = None
    try:
        found = examine(files, "PATTERN")
        schema, line = find_schema(files, flag="PATTERN")
    except UserError as error:
        if not full:
            raise
        unknown = error
    if schema and found.has_segments:
        schema = dataclasses.replace(schema, segment_labels=True)
    labels, frames, unequal, looked, bad = _read_all(files, schema) if full else ([], [], 0, 0, [])
    for broken in bad:
        print(f"broken: {broken.file} at byte {broken.offset}: {broken.problem}")
    if unknown:
        if not bad:
            raise unknown
        print(f"{len(bad)} broken records, and what the files hold cannot be told: {unknown}")
        return len(bad)
    print(line)
    count, exact = count_records(list(files))
    total = sum(tf.io.gfile.stat(f).length for f in files)
    print(f"{len(files)} files, {total:,} bytes, {'' if exact else 'about '}{count:,} records")
    if not full:
        labels, frames, looked = found.labels, found.frames, found.records
    each = [len(x) for x in labels]
    flat = [c for x in labels for c in x]
    scope = f"of {looked:,} records looked at"
    if flat:
        print(
            f"labels: {np.mean(each):.2f} a video, {len(set(flat)):,} classes seen, the highest {max(flat)} ({scope})"
        )
        if max(flat) >= schema.num_classes:
            print(
                f"label {max(flat)} is beyond the {schema.num_classes} classes: give --num_classes to train.py"
            )
    else:
        print(f"labels: none ({scope})")
    if frames:
        print(
            f"frames: {min(frames)} to {max(frames)} a video, {np.mean(frames):.1f} on average ({scope})"
        )
    if full and unequal:
        print(f"unequal: {unequal:,} {scope} have more frames of one feature than of another")
    print(f"id key: {found.id_key or 'none'}" + ("; rated segments" if found.has_segments else ""))
    print(
        f"{len(bad)} broken records"
        if full
        else "records were not all read; --full looks for broken ones"
    )
    return len(bad)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns 0, 1 where records are broken, 2 for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m yt8m.data.inspect", description="Say what record files hold."
    )
    parser.add_argument("pattern", nargs="+", help="files or globs")
    parser.add_argument(
        "--full", action="store_true", help="read every record, and list the broken ones"
    )
    arguments = parser.parse_args(argv)
    try:
        return (
            1 if report(find_shards(",".join(arguments.pattern), "PATTERN"), arguments.full) else 0
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
