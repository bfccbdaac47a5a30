"""What a model card says about the data set that a model was trained on."""

from __future__ import annotations

import dataclasses
import os
from typing import Literal

from yt8m.data.releases import RELEASES
from yt8m.data.synthetic.dataset import is_synthetic
from yt8m.runs.config import RunConfig

DataSetName = Literal["", "youtube-8m", "audioset", "synthetic", "other"]

_MADE = {"v1": "September 2016", "v2": "February 2017", "v3": "May 2018"}


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set.

    Attributes:
      id: its name in the metadata of hubs; "" if it is no public one.
      name: its name in prose, with the release.
      url: its page, or "".
      task: the Hugging Face Hub's name of the task.
      license: what the card says about the data's license.
      limits: what the card says about its labels and features.
    """

    id: str
    name: str
    url: str
    task: str
    license: str
    limits: str


def data_set(config: RunConfig, name: DataSetName = "") -> DataSet:
    """Return the data set of a run.

    Args:
      config: the run's settings.
      name: which it is; "" recognises it by its classes, its features and its folder.
    """
    return _MAKERS[name or _recognized(config)](config)


def _recognized(config: RunConfig) -> DataSetName:
    """Return a data set's name; records that only resemble a public one in part are "other"."""
    schema = config.schema
    if any(is_synthetic(p) for p in config.training.train_data_pattern.split(",")):
        return "synthetic"
    audioset = RELEASES["audioset"]
    if schema.num_classes == audioset.num_classes and {*schema.feature_names} == {*audioset.frames}:
        return "audioset"
    plain = {"rgb": 1024, "audio": 128, "mean_rgb": 1024, "mean_audio": 128}
    widths = zip(schema.all_names, schema.all_sizes)
    if _release(config) and all(plain.get(feature) == width for feature, width in widths):
        return "youtube-8m"
    return "other"


def _release(config: RunConfig) -> str:
    """Return "May 2018" or the like, or "" if no release has so many classes."""
    if config.schema.segment_labels:
        return "June 2019, five-second segments"
    names = {release.num_classes: name for name, release in RELEASES.items()}
    return _MADE.get(names.get(config.schema.num_classes, ""), "")


def split_of(pattern: str) -> str:
    """Return the split by which all shards of a pattern are named, or ""."""
    names = {os.path.basename(part) for part in pattern.split(",") if part}
    splits = {s for n in names for s in ("train", "validate", "test") if n.startswith(s)}
    all_named = all(n.startswith(("train", "validate", "test")) for n in names)
    return splits.pop() if len(splits) == 1 and all_named else ""


def _youtube_8m(config: RunConfig) -> DataSet:
    release = _release(config)
    return DataSet(
        id="youtube-8m",
        name="YouTube-8M" + (f" ({release})" if release else ""),
        url="https://research.google.com/youtube8m/",
        task="video-classification",
        license="Google Research publishes YouTube-8M under the Creative Commons Attribution 4.0"
        " license (CC BY 4.0), which asks users to give credit. This folder contains no record of"
        " it.",
        limits="The labels of YouTube-8M are entities that machines derived from the videos'"
        " metadata and signals, so that many are missing and some are wrong; a probability is that"
        " of such a label, not of what a person would say about the video. The model takes"
        " YouTube-8M's own features, one vector a second; video itself must go through the same"
        " extractors first.",
    )


def _audioset(config: RunConfig) -> DataSet:
    return DataSet(
        id="audioset",
        name="AudioSet (128-dimensional embeddings of version 1)",
        url="https://research.google.com/audioset/",
        task="audio-classification",
        license="Google publishes AudioSet under the Creative Commons Attribution 4.0 license"
        " (CC BY 4.0), and its ontology under CC BY-SA 4.0. This folder contains no record of it.",
        limits="The model takes AudioSet's embeddings, one vector a second of at most ten seconds;"
        " sound itself must go through the same extractor first.",
    )


def _synthetic(config: RunConfig) -> DataSet:
    return DataSet(
        id="",
        name="synthetic records",
        url="",
        task="video-classification",
        license="`yt8m synthetic` generated the records.",
        limits="The model was trained on generated records: its classes mean nothing outside them,"
        " and its metrics say nothing about real videos.",
    )


def _other(config: RunConfig) -> DataSet:
    return DataSet(
        id="",
        name="records of no data set that yt8m recognizes",
        url="",
        task="video-classification",
        license="The license of the records is not known to yt8m; whoever publishes this model"
        " states it here.",
        limits="The model takes features that were extracted as those of its training records"
        " were, one vector a second or their mean.",
    )


_MAKERS = {
    "youtube-8m": _youtube_8m,
    "audioset": _audioset,
    "synthetic": _synthetic,
    "other": _other,
}
