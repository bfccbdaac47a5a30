"""TFRecord shards: valid ones damaged, and records made of any features, of every level."""

from __future__ import annotations

import os
import struct
from typing import Any

import tensorflow as tf
from hypothesis import strategies as st

from benchmarks.fuzz.bytes_of import any_damage
from benchmarks.fuzz.case import Target
from benchmarks.fuzz.inputs import SHARDS
from yt8m.data.files.checksum import masked_crc32c
from yt8m.data.files.scan import scan

_KEYS = [
    "id", "video_id", "labels", "mean_rgb", "mean_audio", "rgb", "audio", "segment_start_times",
    "segment_end_times", "segment_labels", "segment_scores", "duration", "é", "",
]  # fmt: skip
_INTS = [0, 1, 4, 5, -1, 2**31 - 1, 2**31, 2**40, 2**63 - 1, -(2**63)]
_FLOATS = [0.0, 1.0, -2.0, 255.0, 1e30, float("nan"), float("inf")]
_SIZES = [0, 1, 3, 4, 8, 12, 16, 32, 300]
# From 2**40 to 2**63, under a right checksum, TensorFlow's reader ends the process.
_LENGTHS = [0, 1, 5, 2**20, 2**31, 2**63, 2**64 - 1]


@st.composite
def _feature(draw: Any) -> Any:
    kind = draw(st.sampled_from(["ints", "floats", "bytes", "none"]))
    size = draw(st.sampled_from(_SIZES))
    if kind == "ints":
        value = draw(st.sampled_from(_INTS))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value] * size))
    if kind == "floats":
        number = draw(st.sampled_from(_FLOATS))
        return tf.train.Feature(float_list=tf.train.FloatList(value=[number] * size))
    if kind == "bytes":
        text = draw(st.binary(max_size=4)) * draw(st.integers(0, 4)) + bytes(size)
        values = [text] * draw(st.sampled_from([0, 1, 1, 2]))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    return tf.train.Feature()


@st.composite
def _changed_record(draw: Any, payload: bytes, framed: bool) -> bytes:
    """Return a record with other features."""
    record: Any = tf.train.SequenceExample if framed else tf.train.Example
    record = record.FromString(payload)
    context = record.context.feature if framed else record.features.feature
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(_KEYS))
        what = draw(st.sampled_from(["drop", "set", "set", "frames", "rename"]))
        lists = record.feature_lists.feature_list if framed else None
        if what == "frames" and lists is not None:
            steps = [draw(_feature())] * draw(st.sampled_from([0, 1, 2, 301]))
            del lists[key].feature[:]
            lists[key].feature.extend(steps)
        elif what == "set":
            context[key].CopyFrom(draw(_feature()))
        elif what == "rename" and key in context:
            context[draw(st.sampled_from(_KEYS))].CopyFrom(context[key])
        elif key in context:
            del context[key]
        elif lists is not None and key in lists:
            del lists[key]
    return record.SerializeToString(deterministic=True)


@st.composite
def _new_record(draw: Any) -> bytes:
    """Return a record of either kind, made of any features."""
    features = draw(st.dictionaries(st.sampled_from(_KEYS), _feature(), max_size=5))
    context = tf.train.Features(feature=features)
    if draw(st.booleans()):
        return tf.train.Example(features=context).SerializeToString(deterministic=True)
    lists = draw(
        st.dictionaries(st.sampled_from(_KEYS), st.lists(_feature(), max_size=4), max_size=3)
    )
    made = {key: tf.train.FeatureList(feature=steps) for key, steps in lists.items()}
    return tf.train.SequenceExample(
        context=context, feature_lists=tf.train.FeatureLists(feature_list=made)
    ).SerializeToString(deterministic=True)


def _framed(payload: bytes, length: int | None = None) -> bytes:
    head = struct.pack("<Q", len(payload) if length is None else length)
    return (
        head
        + struct.pack("<I", masked_crc32c(head))
        + payload
        + struct.pack("<I", masked_crc32c(payload))
    )


@st.composite
def shard(draw: Any, payloads: list[bytes], framed: bool) -> bytes:
    """Return a shard in which some records, or all, are others, whole as files."""
    kept = list(payloads[: draw(st.sampled_from([0, 1, 3, len(payloads)]))])
    everywhere = draw(st.booleans())
    for _ in range(draw(st.integers(1, 3))):
        made = draw(
            _new_record()
            | st.binary(max_size=30)
            | _changed_record(payloads[0], framed)
            | _changed_record(payloads[-1], framed)
        )
        kept = [made] * len(kept) if everywhere and kept else [*kept, made]
    out = b"".join(map(_framed, kept))
    if draw(st.integers(0, 9)) == 0:  # a right checksum over a wrong length
        out += _framed(b"", draw(st.sampled_from(_LENGTHS)))
    return out


def of(folder: str, name: str) -> Any:
    """Return a strategy that changes a shard."""
    path = os.path.join(folder, name)
    payloads = [record.payload for record in scan(path) if record.payload]
    with open(path, "rb") as source:
        content = source.read()
    made = shard(payloads, not name.startswith("video"))
    return (
        st.integers(0, 2)
        .flatmap(lambda n: any_damage(content) if n == 0 else made)
        .map(lambda changed: {name: changed})
    )


def targets(folder: str) -> list[Target]:
    """Return the targets.

    Args:
      folder: the valid inputs.
    """
    from yt8m.data.files.bad_records import BadRecords
    from yt8m.data.files.count import count
    from yt8m.data.files.shards import find_shards
    from yt8m.data.find_schema import find_schema
    from yt8m.data.pipeline import read_batches
    from yt8m.data.records.ratings import read_ratings

    def files(place: str) -> list[str]:
        return find_shards(os.path.join(place, "*", "train*.tfrecord"))

    def batches(place: str, segments: bool = False) -> None:
        shards = files(place)
        schema, _ = find_schema(shards, num_classes=5, segment_labels=segments)
        bad = BadRecords()
        with bad.explained(schema.num_classes):
            for _ in read_batches(shards, schema, bad, batch_size=4):
                pass

    out = []
    for name in SHARDS:
        level = name.partition("/")[0]
        changes = of(folder, name)

        def command(
            what: str, *line: str, share: float = 1.0, codes: tuple[int, ...] = (),
            name: str = name, level: str = level, changes: Any = changes,
            needs: tuple[str, ...] = (),
        ) -> Target:  # fmt: skip
            given = [part.replace("{shards}", f"{{in}}/{level}/train*.tfrecord") for part in line]
            title = f"{what}, {level}"
            return Target(
                title, "records", (name, *needs), changes, st.just(tuple(given)), None, share, codes
            )

        def function(what: str, call: Any, share: float = 1.0, name: str = name) -> Target:
            title = f"{what}, {name.partition('/')[0]}"
            return Target(title, "records", (name,), of(folder, name), None, call, share)

        out += [
            function("schema", lambda place: find_schema(files(place), num_classes=5), 1),
            function("count", lambda place: count(files(place)), 4),
            function("batches", batches, 0.04),
            command("inspect", "inspect", "{shards}", share=0.2, codes=(1,)),
            command("inspect all", "inspect", "{shards}", "--full", share=0.2, codes=(1,)),
            command("conformance", "conformance", "{shards}", share=0.1, codes=(1,)),
            command(
                "analyse",
                "analyse",
                "--data_pattern={shards}",
                "--num_classes=5",
                "--out_dir={in}/analysis",
                "--nofigures",
                share=0.05,
            ),
            command(
                "convert", "convert", "--input={shards}", "--out_dir={in}/converted", share=0.1
            ),
        ]
        if level == "video":
            evaluate = ("eval", "--train_dir={in}/run", "--eval_data_pattern={shards}")
            predict = (
                "predict", "--train_dir={in}/run", "--input_data_pattern={shards}",
                "--output_file={in}/out.csv",
            )  # fmt: skip
            out += [
                command("evaluate", *evaluate, share=0.03, needs=("run",)),
                command("predict", *predict, share=0.03, needs=("run",)),
            ]
        if level == "segments":
            out += [
                function("ratings", lambda place: list(read_ratings(files(place)))),
                function("segments", lambda place: batches(place, segments=True), 0.04),
            ]
    return out
