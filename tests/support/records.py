"""Small shards with known content, made with the library's own writers."""

from __future__ import annotations

import struct

import numpy as np

from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.writers import frame_record, video_record, write_shard
from yt8m.data.schema import RecordSchema

RGB, AUDIO, CLASSES = 6, 2, 10


def rgb_audio_frames(i, frames, labels, rgb=RGB, **more) -> bytes:
    """Return the record of video `v<i>`, whose frames' first `rgb` columns are RGB."""
    features = {"rgb": frames[:, :rgb], "audio": frames[:, rgb:]}
    return frame_record(b"v%d" % i, features, labels, **more)


def rgb_audio_means(i, means, labels, rgb=RGB, **more) -> bytes:
    """Return the video-level record of video `v<i>`, whose first `rgb` columns are RGB."""
    features = {"mean_rgb": means[:rgb], "mean_audio": means[rgb:]}
    return video_record(b"v%d" % i, features, labels, **more)


class Maker:
    """Writes shards into a folder; video `i` is called `v<i>`, and its values follow from `i`."""

    sizes = (RGB, AUDIO)
    video = RecordSchema("video", ("mean_rgb", "mean_audio"), (RGB, AUDIO), CLASSES)
    frame = RecordSchema("frame", ("rgb", "audio"), (RGB, AUDIO), CLASSES, max_frames=12)

    def __init__(self, folder):
        self.folder = folder

    def labels(self, i):
        return sorted({i % CLASSES, (3 * i) % CLASSES})

    def video_values(self, i):
        return np.random.default_rng([1, i]).normal(size=RGB + AUDIO).astype(np.float32)

    def frame_values(self, i, n=None):
        n = 4 + i % 11 if n is None else n
        return np.random.default_rng([2, i]).integers(0, 256, (n, RGB + AUDIO), dtype=np.uint8)

    def video_payload(self, i, **kwargs):
        return rgb_audio_means(i, self.video_values(i), self.labels(i), **kwargs)

    def frame_payload(self, i, n=None, **kwargs):
        return rgb_audio_frames(i, self.frame_values(i, n), self.labels(i), **kwargs)

    def offsets(self, path):
        return offsets(path)

    def shard(self, name, payloads):
        path = str(self.folder / name)
        write_shard(path, payloads)
        return path

    def shards(self, level, videos, count):
        """Return the paths of `count` shards with `videos` videos dealt out."""
        payload = self.video_payload if level == "video" else self.frame_payload
        return [
            self.shard(f"{level}{s}.tfrecord", [payload(i) for i in range(s, videos, count)])
            for s in range(count)
        ]


def offsets(path):
    """Return the byte offset of every record."""
    with open(path, "rb") as f:
        content = f.read()
    found, at = [], 0
    while at < len(content):
        found.append(at)
        at += struct.unpack("<Q", content[at : at + 8])[0] + 16
    return found


def damage(path, index, part):
    """Break record `index` of a file: its "payload", its "length", or all from its middle.

    Returns the record's byte offset.
    """
    at = offsets(path)[index]
    with open(path, "rb") as f:
        content = bytearray(f.read())
    if part == "payload":
        content[at + 14] ^= 0xFF
    elif part == "length":
        content[at + 1] ^= 0xFF
    else:
        content = content[: at + 20]
    with open(path, "wb") as f:
        f.write(bytes(content))
    return at


def arrays(batches):
    """Return all examples of some batches, in order, as {key: array}."""
    batches = [{key: value.numpy() for key, value in batch.items()} for batch in batches]
    if not batches:
        return {}
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def stream(files, schema, batch_size=4, **options):
    """Return all examples of a pass, in order, as {key: array}."""
    return arrays(build_dataset(files, schema, batch_size=batch_size, **options))


def read(pattern, num_classes=None):
    """Return the schema of some shards, and all their examples as {key: array}."""
    files = find_shards(pattern)
    schema, _ = find_schema(files, num_classes=num_classes)
    return schema, stream(files, schema, batch_size=16)


def same(a, b):
    """Check that two streams are equal."""
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def numbers(ids):
    """Return the numbers of videos `v<i>`, ascending."""
    return sorted(int(i[1:]) for i in ids)
