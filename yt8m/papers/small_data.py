"""The small variants' data sets, made on demand: a part of the real sample, frames around it, and a temporal one."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator
from typing import Any, Callable

from yt8m.errors import UserError, near_misses
from yt8m.runs.provenance import Provenance

SAMPLE_VARIABLE = "YT8M_SAMPLE_DIR"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large the data sets are; the defaults are those of the committed results.

    Attributes:
      train_shards, validate_shards: of the real sample, by name, the first ones.
      all_train_shards: of the whole sample.
      single_classes: of sample-single.
      frame_validate_shards: of these, how many get frames.
      frames: fewest and most a video, of sample-frames.
      video_few, frames_few, frames_some: training shards of the parts of sample-video and of sample-frames.
      noise: standard deviation of a frame around its video's mean.
      synthetic: videos to train on and to validate on.
      synthetic_features: of rgb and audio.
    """

    train_shards: int = 20
    validate_shards: int = 20
    all_train_shards: int = 80
    single_classes: int = 487
    frame_validate_shards: int = 8
    frames: tuple[int, int] = (40, 60)
    noise: float = 0.5
    video_few: int = 4
    frames_few: int = 1
    frames_some: int = 5
    synthetic: tuple[int, int] = (4000, 1000)
    synthetic_features: tuple[int, int] = (256, 32)


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Where a data set's records are.

    Attributes:
      name: on the command line and in results.
      about: one sentence for tables.
      train: pattern of the training records.
      validate: level -> pattern of the validation records; the same videos at each level.
      level: of the training records; "" where only the records can tell.
      flags: of train.py that these data want.
    """

    name: str
    about: str
    train: str
    validate: dict[str, str]
    level: str
    flags: tuple[str, ...] = ()

    def validation(self, level: str = "") -> str:
        """Return the validation pattern at a level; by default that of training."""
        level = level or self.level
        if "" in self.validate:
            return self.validate[""]
        if level not in self.validate:
            raise UserError(
                f"data set {self.name} has no {level}-level validation records, only {', '.join(self.validate)}-level."
            )
        return self.validate[level]


# A part -> the data set whose first training shards it has, and how many of them; both have the same validation videos.
_PARTS = {
    "sample-video-few": ("sample-video", "video_few"),
    "sample-frames-few": ("sample-frames", "frames_few"),
    "sample-frames-some": ("sample-frames", "frames_some"),
}
NAMES = (
    "sample-video",
    "sample-video-all",
    "sample-single",
    "sample-frames",
    *_PARTS,
    "synthetic-temporal",
)


_DEPENDS_ON = {
    "sample-video": ("train_shards", "validate_shards"),
    "sample-video-all": ("all_train_shards", "validate_shards"),
    "sample-single": ("all_train_shards", "validate_shards", "single_classes"),
    "sample-frames": ("train_shards", "frame_validate_shards", "frames", "noise"),
    "synthetic-temporal": ("synthetic", "synthetic_features"),
}


def _depends_on(name: str) -> tuple[str, ...]:
    base, size = _PARTS.get(name, (name, ""))
    return (*_DEPENDS_ON[base], size) if size else _DEPENDS_ON[base]


def describe(name: str, folder: str, sizes: Sizes = Sizes(), level: str = "") -> DataSet:
    """Return where the data set `name` lies under `folder`, whether it is made yet or not.

    A `name` that is a folder stands for the records in it: `train*` and `validate*` files, or
    such folders; or it holds both levels as `video_level/` and `frame_level/`, as the release of
    2017 does, and `level` tells which to train on.

    Raises:
      UserError: neither.
    """
    at = os.path.join(folder, name)
    records = "*.tfrecord"
    if name in _PARTS:
        base, size = _PARTS[name]
        whole, shards = describe(base, folder, sizes), getattr(sizes, size)
        about = f"the first {shards} of {base}'s training shards, and its videos to evaluate on"
        return dataclasses.replace(
            whole, name=name, about=about, train=os.path.join(at, "train", records)
        )
    if name in ("sample-video", "sample-video-all", "sample-single"):
        shards = sizes.train_shards if name == "sample-video" else sizes.all_train_shards
        about = f"real video-level records, May 2018 release: {shards} shards to train on, {sizes.validate_shards} others to evaluate on"
        flags: tuple[str, ...] = ()
        if name == "sample-single":
            about += f"; of the {sizes.single_classes} commonest classes each video keeps its rarest one, and videos without are left out"
            flags = (f"--num_classes={sizes.single_classes}",)
        return DataSet(
            name,
            about,
            os.path.join(at, "train", records),
            {"video": os.path.join(at, "validate", records)},
            "video",
            flags,
        )
    if name == "sample-frames":
        low, high = sizes.frames
        about = (
            f"{low} to {high} frames around the real means of sample-video's videos, {sizes.train_shards} shards to train on,"
            f" {sizes.frame_validate_shards} to evaluate on; their order carries nothing"
        )
        validate = {
            "frame": os.path.join(at, "validate", records),
            "video": os.path.join(at, "validate-video", records),
        }
        return DataSet(
            name,
            about,
            os.path.join(at, "train", records),
            validate,
            "frame",
            (f"--max_frames={high}",),
        )
    if name == "synthetic-temporal":
        train, validate = sizes.synthetic
        about = f"synthetic videos, {train:,} to train on, {validate:,} to evaluate on; 30 classes, some told apart by the order of scenes alone"
        patterns = {
            level: os.path.join(at, level, f"validate{records}") for level in ("frame", "video")
        }
        return DataSet(
            name,
            about,
            os.path.join(at, "frame", f"train{records}"),
            patterns,
            "frame",
            ("--max_frames=48",),
        )
    if os.path.isdir(name):
        called, about = os.path.basename(os.path.abspath(name)), f"records of {name}"
        levels = [x for x in ("video", "frame") if os.path.isdir(os.path.join(name, f"{x}_level"))]
        if not levels:
            return DataSet(
                called, about, _inside(name, "train"), {"": _inside(name, "validate")}, ""
            )
        of = {x: os.path.join(name, f"{x}_level") for x in levels}
        train = of.get(level or levels[0], of[levels[0]])
        return DataSet(
            called,
            about,
            _inside(train, "train"),
            {x: _inside(of[x], "validate") for x in levels},
            level,
        )
    raise UserError(
        f"--data={name} is neither a data set nor a folder.{near_misses(name, NAMES)} Data sets: {', '.join(NAMES)};"
        " a folder holds train*.tfrecord and validate*.tfrecord."
    )


def _inside(folder: str, split: str) -> str:
    inner = os.path.join(folder, split)
    return (
        os.path.join(inner, "*.tfrecord")
        if os.path.isdir(inner)
        else os.path.join(folder, f"{split}*.tfrecord")
    )


def make(
    name: str,
    folder: str,
    sample_dir: str = "",
    sizes: Sizes = Sizes(),
    say: Callable[[str], None] = print,
    level: str = "",
) -> DataSet:
    """Return the data set `name`, made under `folder` if it is not there; a killed making goes on.

    Args:
      name: see `describe`.
      folder: where data sets are kept.
      sample_dir: the real sample, with `train/` and `validate/`; default $YT8M_SAMPLE_DIR.
      sizes: see `Sizes`.
      say: prints.
      level: of a folder's records that a recipe takes.

    Raises:
      UserError: the sample is missing or too small, or the data set there was made otherwise.
    """
    found = describe(name, folder, sizes, level)
    makers = {
        **{part: functools.partial(_part, part) for part in _PARTS},
        "sample-video": _sample_video,
        "sample-video-all": _sample_video_all,
        "sample-single": _sample_single,
        "sample-frames": _sample_frames,
        "synthetic-temporal": _synthetic,
    }
    if name not in makers:
        return found
    at = os.path.join(folder, name)
    made = Provenance(
        os.path.join(at, "made.json"), {k: getattr(sizes, k) for k in _depends_on(name)}
    )
    if made.changed():
        raise UserError(f"{at} holds {name} of other sizes; delete it, or name another --out_dir.")
    if made.before is not None:
        return found
    say(f"making data set {name} in {at}: {found.about}")
    os.makedirs(at, exist_ok=True)
    makers[name](at, folder, sample_dir, sizes, say)
    made.record()
    return found


def _sample_video(
    at: str, folder: str, sample_dir: str, sizes: Sizes, say: Callable[[str], None]
) -> None:
    _part_of_sample(at, sample_dir, sizes.train_shards, sizes.validate_shards)


def _sample_video_all(
    at: str, folder: str, sample_dir: str, sizes: Sizes, say: Callable[[str], None]
) -> None:
    _part_of_sample(at, sample_dir, sizes.all_train_shards, sizes.validate_shards)


def _part(
    name: str, at: str, folder: str, sample_dir: str, sizes: Sizes, say: Callable[[str], None]
) -> None:
    base, size = _PARTS[name]
    shards = os.path.dirname(make(base, folder, sample_dir, sizes, say).train)
    _copy(
        _records_in(shards)[: getattr(sizes, size)],
        getattr(sizes, size),
        os.path.join(at, "train"),
        shards,
    )


def _records_in(folder: str) -> list[str]:
    return [os.path.join(folder, n) for n in sorted(os.listdir(folder)) if n.endswith(".tfrecord")]


def _part_of_sample(at: str, sample_dir: str, train: int, validate: int) -> None:
    sample_dir = sample_dir or os.environ.get(SAMPLE_VARIABLE, "")
    for split, count in (("train", train), ("validate", validate)):
        _copy(
            _sample_shards(sample_dir, split)[:count],
            count,
            os.path.join(at, split),
            f"{sample_dir}/{split}",
        )


def _sample_shards(sample_dir: str, split: str) -> list[str]:
    import tensorflow as tf

    if not sample_dir:
        raise UserError(
            f"this recipe runs on a real sample: name its folder by --sample_dir or ${SAMPLE_VARIABLE}. It holds train/ and"
            " validate/ with video-level shards (*.tfrecord) of the May 2018 release; README says where they come from."
        )
    found = sorted(tf.io.gfile.glob(os.path.join(sample_dir, split, "*.tfrecord")))
    if not found:
        raise UserError(
            f"--sample_dir={sample_dir} has no {split}/*.tfrecord; it holds video-level shards in train/ and validate/."
        )
    return found


def _copy(paths: list[str], wanted: int, target: str, where: str) -> None:
    import tensorflow as tf

    if len(paths) < wanted:
        raise UserError(
            f"{where} holds {len(paths)} shards, but the recipes' data set takes {wanted}; add more (--sample_dir)."
        )
    os.makedirs(target, exist_ok=True)
    for path in paths:
        name = os.path.join(target, os.path.basename(path))
        if not os.path.exists(name):
            tf.io.gfile.copy(path, name + ".tmp", overwrite=True)
            os.replace(name + ".tmp", name)


def _sample_single(
    at: str, folder: str, sample_dir: str, sizes: Sizes, say: Callable[[str], None]
) -> None:
    from yt8m.data.files.shards import find_shards
    from yt8m.data.find_schema import find_schema
    from yt8m.data.records.writers import write_shard

    base = make("sample-video-all", folder, sample_dir, sizes, say)
    for split, pattern in (("train", base.train), ("validate", base.validation())):
        files = find_shards(pattern)
        schema, _ = find_schema(files)
        for path in files:
            target = os.path.join(at, split, os.path.basename(path))
            if not os.path.exists(target):
                write_shard(target, _one_label_each(path, schema, sizes.single_classes))


def _one_label_each(path: str, schema: Any, classes: int) -> Iterator[bytes]:
    """Yield a shard's records with one label each; classes are numbered by falling frequency, so the last is the rarest."""
    import numpy as np

    from yt8m.data.pipeline import build_dataset
    from yt8m.data.records.writers import video_record

    ends = np.cumsum(schema.feature_sizes)[:-1]
    for batch in build_dataset([path], schema, batch_size=256):
        for i, row in enumerate(batch["labels"].numpy()[:, :classes]):
            if row.any():
                parts = np.split(batch["video"][i].numpy(), ends)
                yield video_record(
                    batch["id"][i].numpy(),
                    dict(zip(schema.feature_names, parts)),
                    [int(np.flatnonzero(row)[-1])],
                )


def _sample_frames(
    at: str, folder: str, sample_dir: str, sizes: Sizes, say: Callable[[str], None]
) -> None:
    from yt8m.data.synthetic.around_means import from_video_level

    base = make("sample-video", folder, sample_dir, sizes, say)
    shards = os.path.dirname(base.validation())
    _copy(
        _records_in(shards)[: sizes.frame_validate_shards],
        sizes.frame_validate_shards,
        os.path.join(at, "validate-video"),
        shards,
    )
    for seed, (split, pattern) in enumerate(
        (("train", base.train), ("validate", os.path.join(at, "validate-video", "*.tfrecord")))
    ):
        from_video_level(pattern, os.path.join(at, split), sizes.frames, sizes.noise, seed)


def _synthetic(
    at: str, folder: str, sample_dir: str, sizes: Sizes, say: Callable[[str], None]
) -> None:
    from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic

    train, validate = sizes.synthetic
    spec = SyntheticSpec(
        videos=(("train", train), ("validate", validate)), feature_sizes=sizes.synthetic_features
    )
    make_synthetic(at, spec)
