"""What a file is that does not begin with a record, so that a message can say what to do with it.

A TFRecord file begins with a length and its checksum, which no other file has by chance. What needs
TensorFlow imports it when it is called, because `yt8m download` does without.
"""

from __future__ import annotations

import struct
import zlib

from yt8m.data.files.checksum import masked_crc32c

HEAD = 1 << 16  # bytes that are looked at
_WHOLE = 64 << 20  # bytes of a bare example that are parsed
_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip -c {0} > NEW.tfrecord"),
    b"BZh": ("bzip2", "bunzip2 -c {0} > NEW.tfrecord"),
    b"\xfd7zXZ\0": ("xz", "xz -dc {0} > NEW.tfrecord"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc {0} > NEW.tfrecord"),
    b"PK\x03\x04": ("zip", "unzip {0}"),
}
_ZLIB = (
    "python -c \"import zlib; open('NEW.tfrecord', 'wb').write("
    "zlib.decompress(open('{0}', 'rb').read()))\""
)
_OTHERS = {
    b"PAR1": "is a Parquet file, of which `yt8m convert` makes records",
    b"\x93NUMPY": "is a NumPy array, of which `yt8m convert` makes records",
    b"\x89HDF": "is an HDF5 file; save its arrays as .npy files, of which `yt8m convert` makes"
    " records",
    b"version https://git-lfs": "is a pointer of Git LFS and not the file itself; `git lfs pull`"
    " fetches it",
}
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<error")


def begins_with_record(head: bytes) -> bool:
    """Return whether bytes begin with the length of a record and its checksum."""
    return len(head) >= 12 and masked_crc32c(head[:8]) == struct.unpack("<I", head[8:12])[0]


def other_kind(path: str) -> str:
    """Return what a file is that is of another kind, as the rest of a sentence.

    It is "" for a file that begins with a record, and for one that may have been damaged.
    """
    import tensorflow as tf

    with tf.io.gfile.GFile(path, "rb") as f:
        head = f.read(HEAD)
    return kind_of_head(head, path) or ("" if may_be_records(head) else _bare_example(path))


def may_be_records(head: bytes) -> bool:
    """Return whether the first bytes of a file are zeros, of which nothing follows, or a record."""
    return not head.strip(b"\0") or begins_with_record(head)


def kind_of_head(head: bytes, path: str) -> str:
    """Return what a file is by its first bytes, as the rest of a sentence, or "".

    Args:
      head: its first `HEAD` bytes.
      path: its name in commands that the sentence may have.
    """
    if may_be_records(head):
        return ""
    for magic, (name, command) in _COMPRESSED.items():
        if head.startswith(magic):
            return _compressed(name, command, path)
    if begins_with_record(_inflated(head)):
        return _compressed("zlib", _ZLIB, path)
    known = next((about for magic, about in _OTHERS.items() if head.startswith(magic)), "")
    if known:
        return known
    return _text(head)


def _compressed(name: str, command: str, path: str) -> str:
    return f"is compressed ({name}), and records are read uncompressed: {command.format(path)}"


def _inflated(head: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(head, 12)
    except zlib.error:
        return b""


def _text(head: bytes) -> str:
    start = head.lstrip()[:200].lower()
    if start.startswith(_PAGES):
        return "is a web page, such as a server sends in place of a file; get the file again"
    if b"\0" in head or sum(c < 32 and c not in b"\t\r\n\f" for c in head[:1000]):
        return ""
    first = (head.splitlines() or [b""])[0][:40].decode("utf-8", "replace")
    return f"is text that begins with {first!r}"


def _bare_example(path: str) -> str:
    """Return the words for one example without the frame of a TFRecord, or ""."""
    import tensorflow as tf

    with tf.io.gfile.GFile(path, "rb") as f:
        content = f.read(_WHOLE + 1)
    if len(content) > _WHOLE:
        return ""
    try:
        example = tf.train.SequenceExample.FromString(content)
    except Exception:  # protobuf's DecodeError has moved between its versions
        return ""
    if example.feature_lists.feature_list:
        what = "a bare SequenceExample, as MediaPipe writes it for one video"
    elif example.context.feature:
        what = "a bare tf.train.Example of one video"
    else:
        return ""
    name = "" if path.endswith(".pb") else ", once its name ends in .pb"
    return f"is {what}; `yt8m convert` makes records of such files{name}"
