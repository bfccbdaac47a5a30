"""Creation of the small variants' data sets, on demand and resumable."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator

import numpy as np

from yt8m import locks
from yt8m.errors import UserError
from yt8m.papers.small_data import DEFAULT_SIZES, PARTS, DataSet, Sizes, describe
from yt8m.runs.provenance import Provenance

SAMPLE_VARIABLE = "YT8M_SAMPLE_DIR"
AUDIOSET_VARIABLE = "YT8M_AUDIOSET_DIR"
SAMPLE = (
    f"the real sample: --sample_dir=DIR or ${SAMPLE_VARIABLE} names a folder with train/ and"
    " validate/ shards (*.tfrecord) of the May 2018 release"
)
AUDIOSET = (
    f"AudioSet's embeddings: --audioset_dir=DIR or ${AUDIOSET_VARIABLE} names a folder with train/"
    " and validate/ shards (*.tfrecord)"
)
_MADE = "made.json"

# Data set -> the sizes that it depends on.
_DEPENDS_ON = {
    "sample-video": ("train_shards", "validate_shards"),
    "sample-video-all": ("all_train_shards", "validate_shards"),
    "sample-single": ("all_train_shards", "validate_shards", "single_classes"),
    "sample-common": (
        "all_train_shards",
        "validate_shards",
        "common_classes",
        "common_test_shards",
    ),
    "sample-frames": ("train_shards", "frame_validate_shards", "frames", "noise"),
    "sample-frames-all": ("all_train_shards", "frame_validate_shards", "frames", "noise"),
    "synthetic-temporal": ("synthetic", "synthetic_features"),
    "synthetic-modes": ("modes", "modes_world"),
}
_DEPENDS_ON |= {part: (*_DEPENDS_ON[base], size) for part, (base, size) in PARTS.items()}


# Data set -> those whose records it consists of.
MADE_OF = {"sample-means-all": ("sample-video-all", "sample-frames-all")}


@dataclasses.dataclass(frozen=True)
class _Maker:
    """The arguments of `make` that one data set passes on to the data set it is made from."""

    folder: str
    sample_dir: str
    sizes: Sizes
    say: Callable[[str], None]

    def make(self, name: str) -> DataSet:
        return make(name, self.folder, self.sample_dir, self.sizes, self.say)


def make(
    name: str,
    folder: str,
    sample_dir: str = "",
    sizes: Sizes = DEFAULT_SIZES,
    say: Callable[[str], None] = print,
    level: str = "",
    audioset_dir: str = "",
) -> DataSet:
    """Return a data set, made under `folder` unless it exists; an interrupted call can be repeated.

    Args:
      name: see `describe`.
      folder: folder that the data sets are made in.
      sample_dir: the real sample, with `train/` and `validate/`; default $YT8M_SAMPLE_DIR.
      sizes: sizes of the data sets.
      say: prints a line.
      level: level that the row reads, for a folder with both.
      audioset_dir: AudioSet, with `train/` and `validate/`; default $YT8M_AUDIOSET_DIR.

    Raises:
      UserError: the sample is missing or too small, or the data set there has other sizes.
    """
    found = describe(name, folder, sizes, level)
    if name == "audioset":
        _link_audioset(os.path.join(folder, name), audioset_dir)
    for base in MADE_OF.get(name, ()):
        make(base, folder, sample_dir, sizes, say)
    if name not in _DEPENDS_ON:
        return found
    at = os.path.join(folder, name)
    wanted = {size: getattr(sizes, size) for size in _DEPENDS_ON[name]}
    made = Provenance(os.path.join(at, _MADE), wanted)
    if made.changed():
        raise UserError(
            f"{at} contains {name} in other sizes; delete it, or choose another --out_dir."
        )
    if made.before is not None:
        return found
    with locks.held(locks.beside(at), at):
        say(f"making data set {name} in {at}: {found.about}")
        os.makedirs(at, exist_ok=True)
        maker = _Maker(folder, sample_dir, sizes, say)
        if name in PARTS:
            _make_part(maker, name, at)
        else:
            _MAKERS[name](maker, at)
        made.record()
    return found


def lacking_source(name: str, folder: str, sample_dir: str = "", audioset_dir: str = "") -> str:
    """Return what a data set is made from that is not known, and "" if it can be made, or is.

    Args:
      name: see `describe`.
      folder: folder that the data sets are made in.
      sample_dir: see `make`.
      audioset_dir: see `make`.
    """
    if name == "audioset":
        known = audioset_dir or os.environ.get(AUDIOSET_VARIABLE)
        return "" if known or os.path.isdir(os.path.join(folder, name, "train")) else AUDIOSET
    if sample_dir or os.environ.get(SAMPLE_VARIABLE) or not name.startswith("sample-"):
        return ""
    made = (os.path.join(folder, base, _MADE) for base in MADE_OF.get(name, (name,)))
    return "" if all(map(os.path.exists, made)) else SAMPLE


def _link_audioset(at: str, audioset_dir: str) -> None:
    """Link to AudioSet's folders, so that recorded commands name no folder of this machine."""
    source = audioset_dir or os.environ.get(AUDIOSET_VARIABLE, "")
    if not source and os.path.isdir(os.path.join(at, "train")):
        return
    if not source:
        raise UserError(f"these real frames need {AUDIOSET}, or leave them out by --data.")
    for split in ("train", "validate"):
        target, link = os.path.abspath(os.path.join(source, split)), os.path.join(at, split)
        if not os.path.isdir(target):
            raise UserError(
                f"{target} is not a folder; --audioset_dir needs train/ and validate/ with"
                " *.tfrecord."
            )
        if os.path.islink(link):
            if os.readlink(link) == target:
                continue
            os.remove(link)
        os.makedirs(at, exist_ok=True)
        os.symlink(target, link)


def _make_sample_video(maker: _Maker, at: str) -> None:
    _copy_sample(maker, at, maker.sizes.train_shards)


def _make_sample_video_all(maker: _Maker, at: str) -> None:
    _copy_sample(maker, at, maker.sizes.all_train_shards)


def _copy_sample(maker: _Maker, at: str, train_shards: int) -> None:
    sample_dir = maker.sample_dir or os.environ.get(SAMPLE_VARIABLE, "")
    for split, count in (("train", train_shards), ("validate", maker.sizes.validate_shards)):
        shards = _sample_shards(sample_dir, split)
        _copy(shards, count, os.path.join(at, split), f"{sample_dir}/{split}")


def _sample_shards(sample_dir: str, split: str) -> list[str]:
    import tensorflow as tf

    if not sample_dir:
        raise UserError(f"this row needs {SAMPLE}; docs/data.md says where to get the shards.")
    found = sorted(tf.io.gfile.glob(os.path.join(sample_dir, split, "*.tfrecord")))
    if not found:
        raise UserError(
            f"--sample_dir={sample_dir} has no {split}/*.tfrecord; it needs video-level shards in"
            " train/ and validate/."
        )
    return found


def _make_part(maker: _Maker, name: str, at: str) -> None:
    base, size = PARTS[name]
    shards = os.path.dirname(maker.make(base).train)
    count = getattr(maker.sizes, size)
    _copy(_records_in(shards), count, os.path.join(at, "train"), shards)


def _records_in(folder: str) -> list[str]:
    return [os.path.join(folder, n) for n in sorted(os.listdir(folder)) if n.endswith(".tfrecord")]


def _copy(paths: list[str], count: int, target: str, source: str) -> None:
    """Copy the first `count` of `paths` to the folder `target`; `source` is for the message."""
    import tensorflow as tf

    if len(paths) < count:
        raise UserError(
            f"{source} contains {len(paths)} shards, but this data set needs {count}; add more"
            " (--sample_dir)."
        )
    os.makedirs(target, exist_ok=True)
    for path in paths[:count]:
        name = os.path.join(target, os.path.basename(path))
        if not os.path.exists(name):
            tf.io.gfile.copy(path, name + ".tmp", overwrite=True)
            os.replace(name + ".tmp", name)


def _make_single(maker: _Maker, at: str) -> None:
    from yt8m.data.files.shards import find_shards

    base = maker.make("sample-video-all")
    classes = maker.sizes.single_classes
    # Classes are numbered by falling frequency, so the rarest label of a video is its last one.
    for split, pattern in (("train", base.train), ("validate", base.validation())):
        _reduce(find_shards(pattern), os.path.join(at, split), classes, lambda kept: kept[-1:])


def _make_common(maker: _Maker, at: str) -> None:
    from yt8m.data.files.shards import find_shards

    base = maker.make("sample-video-all")
    classes, test = maker.sizes.common_classes, maker.sizes.common_test_shards
    validate = find_shards(base.validation())
    shards = {"train": find_shards(base.train)}
    shards |= {"validate": validate[:-test], "test": validate[-test:]}
    for split, files in shards.items():
        _reduce(files, os.path.join(at, split), classes, lambda kept: kept)


def _reduce(
    files: list[str], target: str, classes: int, choose: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Write shards of the videos that have labels among the first `classes`, with some of these.

    Args:
      files: the shards.
      target: folder of the written shards, which have the same names.
      classes: labels from this number on are dropped.
      choose: function from a video's other labels, in ascending order, to those that it keeps.
    """
    from yt8m.data.files.bad_records import BadRecords
    from yt8m.data.find_schema import find_schema
    from yt8m.data.pipeline import build_dataset
    from yt8m.data.records.writers import video_record, write_shard

    schema, _ = find_schema(files)
    ends = np.cumsum(schema.feature_sizes)[:-1]

    def records(path: str, bad: BadRecords) -> Iterator[bytes]:
        for batch in build_dataset([path], schema, batch_size=256, bad_records=bad):
            ids, means = batch["id"].numpy(), batch["video"].numpy()
            for i, labels in enumerate(batch["labels"].numpy()[:, :classes]):
                if labels.any():
                    features = dict(zip(schema.feature_names, np.split(means[i], ends)))
                    yield video_record(ids[i], features, choose(np.flatnonzero(labels)))

    for path in files:
        to = os.path.join(target, os.path.basename(path))
        if not os.path.exists(to):
            bad = BadRecords()
            with bad.explained(schema.num_classes):
                write_shard(to, records(path, bad))


def _make_sample_frames(maker: _Maker, at: str) -> None:
    _make_frames(maker, at, maker.make("sample-video"))


def _make_sample_frames_all(maker: _Maker, at: str) -> None:
    _make_frames(maker, at, maker.make("sample-video-all"))


def _make_frames(maker: _Maker, at: str, base: DataSet) -> None:
    from yt8m.data.synthetic.around_means import from_video_level

    sizes = maker.sizes
    shards = os.path.dirname(base.validation())
    means = os.path.join(at, "validate-video")
    _copy(_records_in(shards), sizes.frame_validate_shards, means, shards)
    sources = {"train": base.train, "validate": os.path.join(means, "*.tfrecord")}
    for seed, (split, pattern) in enumerate(sources.items()):
        from_video_level(pattern, os.path.join(at, split), sizes.frames, sizes.noise, seed)


def _make_synthetic(maker: _Maker, at: str) -> None:
    from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic

    train, validate = maker.sizes.synthetic
    videos = (("train", train), ("validate", validate))
    spec = SyntheticSpec(videos=videos, feature_sizes=maker.sizes.synthetic_features)
    make_synthetic(at, spec)


def _make_modes(maker: _Maker, at: str) -> None:
    from yt8m.data.synthetic.modes import ModesSpec, write_modes

    classes, modes, *features = maker.sizes.modes_world
    spec = ModesSpec(classes, modes, (features[0], features[1]))
    for seed, (split, videos) in enumerate(zip(("train", "validate", "test"), maker.sizes.modes)):
        write_modes(os.path.join(at, split), split, videos, spec, seed)


_MAKERS: dict[str, Callable[[_Maker, str], None]] = {
    "sample-video": _make_sample_video,
    "sample-video-all": _make_sample_video_all,
    "sample-single": _make_single,
    "sample-common": _make_common,
    "sample-frames": _make_sample_frames,
    "sample-frames-all": _make_sample_frames_all,
    "synthetic-temporal": _make_synthetic,
    "synthetic-modes": _make_modes,
}
