"""Bundles of models, and the files that `yt8m convert` unpacks: .tgz, .npz, .npy, Parquet."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.bytes_of import JUNK, any_damage
from benchmarks.fuzz.case import Target
from benchmarks.fuzz.documents import document, is_json
from benchmarks.fuzz.scores import array

_BUNDLE, _ARRAYS = "model.tgz", "npz/v0.npz"
_NAMES = [
    "../config.json",
    "/tmp/a",
    "a/../../b",
    "config.json/a",
    "",
    ".",
    "model.weights.h5",
    "é",
]
_TYPES = [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]


@st.composite
def bundle(draw: Any, content: bytes) -> bytes:
    """Return a bundle whose members are others."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = [(m, tar.extractfile(m)) for m in tar.getmembers()]
        held = [(m, source.read() if source else b"") for m, source in members]
    for _ in range(draw(st.integers(1, 2))):
        number = draw(st.integers(0, len(held) - 1))
        member, body = held[number]
        what = draw(st.sampled_from(["name", "type", "body", "json", "drop", "again"]))
        if what == "name":
            member.name = draw(st.sampled_from(_NAMES))
        elif what == "type":
            member.type, member.linkname = draw(st.sampled_from(_TYPES)), "config.json"
            body = b""
        elif what == "body":
            body = draw(any_damage(body).filter(lambda made: isinstance(made, bytes)))
        elif what == "json" and is_json(body):  # not damaged before, and no weights
            body = draw(document(body))
        elif what == "again":
            held.append((member, body))
        if what == "drop" and len(held) > 1:
            del held[number]
        else:
            held[number] = member, body
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for member, body in held:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return out.getvalue()


@st.composite
def npz(draw: Any, content: bytes) -> bytes:
    """Return an .npz whose members are others."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        held = {name: source.read(name) for name in source.namelist()}
    name = draw(st.sampled_from(sorted(held)))
    body = held[name]
    made = draw(
        (any_damage(body) | array(body) | st.sampled_from(JUNK)).filter(
            lambda new: isinstance(new, bytes)
        )
    )
    what = draw(st.sampled_from(["body", "body", "drop", "name"]))
    if what == "drop":
        del held[name]
    else:
        held[name] = made
        if what == "name":
            held[draw(st.sampled_from(["labels.npy", "id.npy", "é.npy", "a", "../a.npy"]))] = made
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for key, value in held.items():
            target.writestr(key, value)
    return out.getvalue()


def _read(folder: str, name: str) -> bytes:
    with open(os.path.join(folder, name), "rb") as source:
        return source.read()


def targets(folder: str) -> list[Target]:
    """Return the targets.

    Args:
      folder: the valid inputs.
    """
    from yt8m.runs.bundle import open_bundle
    from yt8m.runs.folder import RunFolder

    def opened(place: str) -> object:
        unpacked = open_bundle(os.path.join(place, _BUNDLE), os.path.join(place, "unpacked"))
        return RunFolder(unpacked).load_config()

    def of(name: str, made: Any) -> Any:
        damage = any_damage(_read(folder, name))
        return (
            st.integers(0, 2)
            .flatmap(lambda n: damage if n == 0 else made)
            .map(lambda new: {name: new})
        )

    bundles = of(_BUNDLE, bundle(_read(folder, _BUNDLE)))
    predict = (
        "predict", "--input_model_tgz={in}/model.tgz", "--output_file={in}/out.csv",
        "--input_data_pattern={in}/video/val*.tfrecord",
    )  # fmt: skip
    convert = ("convert", "--out_dir={in}/out", "--validate_fraction=0")
    out = [
        Target("bundle", "archives", (_BUNDLE,), bundles, None, opened, 4),
        Target(
            "predict by a bundle", "archives", (_BUNDLE, "video"), bundles, st.just(predict), None,
            0.05,
        ),
        Target(
            "convert .npz", "archives", ("npz",), of(_ARRAYS, npz(_read(folder, _ARRAYS))),
            st.just((*convert, "--input={in}/npz")),
        ),
    ]  # fmt: skip
    part = "parquet/part-00000.parquet"
    if os.path.exists(os.path.join(folder, part)):
        changes = any_damage(_read(folder, part)).map(lambda new: {part: new})
        line = st.just((*convert, "--input={in}/parquet/part-00000.parquet"))
        out.append(Target("convert Parquet", "archives", ("parquet",), changes, line))
    return out
