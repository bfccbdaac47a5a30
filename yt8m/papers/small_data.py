"""The data sets of the small variants: their names, sizes, and where their records are.

They are parts of the real sample, frames generated around its means, synthetic videos whose classes
differ by time, and others whose classes have many modes. `yt8m.papers.make_data` makes them.
"""

from __future__ import annotations

import dataclasses
import os

from yt8m.errors import UserError, near_misses

# Data set -> best classes of a video that enter the metrics, where they are not the challenge's 20:
# AudioSet's published MAPs rank every clip under every class.
TOP_K = {"audioset": 527}
_RECORDS = "*.tfrecord"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of the data sets; the defaults are those of the committed results.

    Attributes:
      train_shards: training shards of sample-video and sample-frames, the first by name.
      validate_shards: validation shards of every video-level set, the first by name.
      all_train_shards: training shards of sample-video-all, sample-single and sample-frames-all.
      single_classes: classes of sample-single.
      common_classes: classes of sample-common.
      common_test_shards: validation shards of sample-common that results are of, the last by name;
        steps select by the others.
      frame_validate_shards: validation shards of sample-frames and sample-frames-all, the first of
        sample-video's.
      frames: fewest and most frames of a video in sample-frames and sample-frames-all.
      noise: standard deviation of a frame around the mean of its video.
      video_few: training shards of sample-video-few.
      frames_few: training shards of sample-frames-few.
      frames_some: training shards of sample-frames-some.
      synthetic: training and validation videos of synthetic-temporal.
      synthetic_features: sizes of rgb and audio in synthetic-temporal.
      modes: training, validation and test videos of synthetic-modes.
      modes_world: classes of synthetic-modes, modes of each class, and features of rgb and audio.
    """

    train_shards: int = 20
    validate_shards: int = 20
    all_train_shards: int = 80
    single_classes: int = 487
    common_classes: int = 500
    common_test_shards: int = 12
    frame_validate_shards: int = 8
    frames: tuple[int, int] = (40, 60)
    noise: float = 0.5
    video_few: int = 4
    frames_few: int = 1
    frames_some: int = 5
    synthetic: tuple[int, int] = (4000, 1000)
    synthetic_features: tuple[int, int] = (256, 32)
    modes: tuple[int, int, int] = (200_000, 10_000, 10_000)
    modes_world: tuple[int, int, int, int] = (200, 24, 24, 8)


DEFAULT_SIZES = Sizes()


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Where the records of a data set are.

    Attributes:
      name: name on the command line and in results.
      about: description for the tables.
      train: pattern of the training records.
      validate: level -> pattern of the validation records; the same videos at each level.
      level: level of the training records; "" if only the records themselves show it.
      flags: flags of train.py that these data need.
      test: pattern of the records that results are of, where no step may select by them; "" if
        results are of the validation records.
      eval_flags: flags of eval.py that these data need.
    """

    name: str
    about: str
    train: str
    validate: dict[str, str]
    level: str
    flags: tuple[str, ...] = ()
    test: str = ""
    eval_flags: tuple[str, ...] = ()

    def validation(self, level: str = "") -> str:
        """Return the validation pattern at a level, by default the level of training.

        Raises:
          UserError: there are no validation records at that level.
        """
        level = level or self.level
        if "" in self.validate:
            return self.validate[""]
        if level not in self.validate:
            known = ", ".join(self.validate)
            raise UserError(
                f"data set {self.name} has no {level}-level validation records, only {known}-level."
            )
        return self.validate[level]


# Part -> the data set whose first training shards it has, and the size that counts them. Both share
# their validation videos.
PARTS = {
    "sample-video-few": ("sample-video", "video_few"),
    "sample-frames-few": ("sample-frames", "frames_few"),
    "sample-frames-some": ("sample-frames", "frames_some"),
}
NAMES = (
    "sample-video",
    "sample-video-all",
    "sample-single",
    "sample-common",
    "sample-frames",
    "sample-frames-all",
    "sample-means-all",
    "audioset",
    *PARTS,
    "synthetic-temporal",
    "synthetic-modes",
)


def describe(name: str, folder: str, sizes: Sizes = DEFAULT_SIZES, level: str = "") -> DataSet:
    """Return where a data set's records are, whether or not they have been made.

    Args:
      name: one of `NAMES`, or a folder of records: `train*` and `validate*` files or folders, or
        both levels as `video_level/` and `frame_level/`, like the release of 2017.
      folder: folder that the data sets are made in.
      sizes: sizes of the data sets.
      level: level to train on, for a folder that has both.

    Raises:
      UserError: `name` is neither a data set nor a folder.
    """
    at = os.path.join(folder, name)
    if name in PARTS:
        return _part(name, at, folder, sizes)
    if name in ("sample-video", "sample-video-all", "sample-single"):
        return _real_videos(name, at, sizes)
    if name == "sample-common":
        return _common(name, at, sizes)
    if name in ("sample-frames", "sample-frames-all"):
        return _frames_around_means(name, at, sizes)
    if name == "sample-means-all":
        return _means_of_frames(name, folder, sizes)
    if name == "audioset":
        return _audioset(name, at)
    if name == "synthetic-temporal":
        return _synthetic(name, at, sizes)
    if name == "synthetic-modes":
        return _modes(name, at, sizes)
    if os.path.isdir(name):
        return _own_records(name, level)
    raise UserError(
        f"--data={name} is neither a data set nor a folder.{near_misses(name, NAMES)}"
        f" The data sets are {', '.join(NAMES)};"
        " a folder contains train*.tfrecord and validate*.tfrecord."
    )


def _part(name: str, at: str, folder: str, sizes: Sizes) -> DataSet:
    base, size = PARTS[name]
    shards = getattr(sizes, size)
    return dataclasses.replace(
        describe(base, folder, sizes),
        name=name,
        about=f"the first {shards} of {base}'s training shards, and its videos to evaluate on",
        train=os.path.join(at, "train", _RECORDS),
    )


def _real_videos(name: str, at: str, sizes: Sizes) -> DataSet:
    shards = sizes.train_shards if name == "sample-video" else sizes.all_train_shards
    about = (
        f"real video-level records, May 2018 release: {shards} shards to train on,"
        f" {sizes.validate_shards} others to evaluate on"
    )
    flags: tuple[str, ...] = ()
    if name == "sample-single":
        about += (
            f"; of the {sizes.single_classes} commonest classes each video keeps its rarest one,"
            " and videos without are left out"
        )
        flags = (f"--num_classes={sizes.single_classes}",)
    train, validate = (os.path.join(at, split, _RECORDS) for split in ("train", "validate"))
    return DataSet(name, about, train, {"video": validate}, "video", flags)


def _common(name: str, at: str, sizes: Sizes) -> DataSet:
    test, classes = sizes.common_test_shards, sizes.common_classes
    about = (
        f"real video-level records, May 2018 release, with only their {classes} commonest classes,"
        f" and without the videos that have none of them: {sizes.all_train_shards} shards to train"
        f" on, {sizes.validate_shards - test} to select by, {test} others to evaluate on"
    )
    return _with_test(name, about, at, (f"--num_classes={classes}",))


def _modes(name: str, at: str, sizes: Sizes) -> DataSet:
    train, select, test = sizes.modes
    classes, modes, rgb, audio = sizes.modes_world
    about = (
        f"made videos of {rgb + audio} features, {train:,} to train on, {select:,} to select by,"
        f" {test:,} others to evaluate on; {classes} classes of {modes} modes each"
    )
    return _with_test(name, about, at, (f"--num_classes={classes}",))


def _with_test(name: str, about: str, at: str, flags: tuple[str, ...] = ()) -> DataSet:
    train, validate, test = (os.path.join(at, s, _RECORDS) for s in ("train", "validate", "test"))
    return DataSet(name, about, train, {"video": validate}, "video", flags, test)


def _frames_around_means(name: str, at: str, sizes: Sizes) -> DataSet:
    low, high = sizes.frames
    base = name.replace("frames", "video")
    shards = sizes.train_shards if name == "sample-frames" else sizes.all_train_shards
    about = (
        f"{low} to {high} frames around the real means of {base}'s videos,"
        f" {shards} shards to train on, {sizes.frame_validate_shards} to evaluate on;"
        " their order carries nothing"
    )
    validate = {
        "frame": os.path.join(at, "validate", _RECORDS),
        "video": os.path.join(at, "validate-video", _RECORDS),
    }
    train = os.path.join(at, "train", _RECORDS)
    return DataSet(name, about, train, validate, "frame", (f"--max_frames={high}",))


def _means_of_frames(name: str, folder: str, sizes: Sizes) -> DataSet:
    frames = describe("sample-frames-all", folder, sizes)
    return DataSet(
        name,
        "the exact means of sample-frames-all's videos, without the noise of its frames",
        describe("sample-video-all", folder, sizes).train,
        {"video": frames.validation("video")},
        "video",
    )


def _audioset(name: str, at: str) -> DataSet:
    about = (
        "real frames: AudioSet's embeddings, version 1, the balanced training split to train on;"
        " MAP ranks every clip under every class"
    )
    train, validate = (os.path.join(at, split, _RECORDS) for split in ("train", "validate"))
    return DataSet(
        name, about, train, {"frame": validate}, "frame", eval_flags=(f"--top_k={TOP_K[name]}",)
    )


def _synthetic(name: str, at: str, sizes: Sizes) -> DataSet:
    train, validate = sizes.synthetic
    about = (
        f"synthetic videos, {train:,} to train on, {validate:,} to evaluate on; 30 classes, some"
        " told apart by the order of scenes alone"
    )
    return DataSet(
        name,
        about,
        os.path.join(at, "frame", f"train{_RECORDS}"),
        {level: os.path.join(at, level, f"validate{_RECORDS}") for level in ("frame", "video")},
        "frame",
        ("--max_frames=48",),
    )


def _own_records(folder: str, level: str) -> DataSet:
    name, about = os.path.basename(os.path.abspath(folder)), f"records of {folder}"
    by_level = {x: os.path.join(folder, f"{x}_level") for x in ("video", "frame")}
    by_level = {x: at for x, at in by_level.items() if os.path.isdir(at)}
    if not by_level:
        validate = {"": _inside(folder, "validate")}
        return DataSet(name, about, _inside(folder, "train"), validate, "")
    train = by_level.get(level) or next(iter(by_level.values()))
    validate = {x: _inside(at, "validate") for x, at in by_level.items()}
    return DataSet(name, about, _inside(train, "train"), validate, level)


def _inside(folder: str, split: str) -> str:
    inner = os.path.join(folder, split)
    if os.path.isdir(inner):
        return os.path.join(inner, _RECORDS)
    return os.path.join(folder, f"{split}{_RECORDS}")
