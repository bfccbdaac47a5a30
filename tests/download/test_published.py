"""Addresses and names are those of the public scripts and logs."""

import json

import pytest

from yt8m.download.published import Partition, partition_of
from yt8m.download.settings import DownloadSettings
from yt8m.errors import UserError


def partition(**settings):
    return partition_of(DownloadSettings(**settings))


def test_addresses():
    frames = partition(level="frame", split="validate", mirror="eu")
    assert frames.plan_url == "http://data.yt8m.org/2/download_plans/frame_validate.json"
    name = "validatepj.tfrecord"
    assert frames.url(name) == f"http://eu.data.yt8m.org/2/frame/validate/{name}"
    assert frames.gs_path(name) == f"gs://eu.data.yt8m.org/2/frame/validate/{name}"
    assert partition(level="segment", split="test").folder == "3/frame/test"
    old = partition(release="2017", base_url="http://lab/")
    assert old.url("traina0.tfrecord") == "http://lab/1/video_level/train/traina0.tfrecord"
    assert old.plan_url == "http://lab/1/download_plans/video_level_train.json"


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("trainaa.tfrecord", "train0000.tfrecord"),
        ("trainaA.tfrecord", "train0026.tfrecord"),
        ("train99.tfrecord", "train3843.tfrecord"),
        ("train-a.tfrecord", "train-a.tfrecord"),
        ("train0007.tfrecord", "train0007.tfrecord"),
        ("testaa.tfrecord", "testaa.tfrecord"),
        ("trainaa.csv", "trainaa.csv"),
    ],
)
def test_names_on_disk(name, local):
    assert partition().local_name(name) == local


def test_a_name_of_2017_is_kept():
    old = partition(release="2017", base_url="http://lab")
    assert old.local_name("traina0.tfrecord") == "traina0.tfrecord"


def test_a_plan_of_these_names_has_the_published_length():
    """A public log gives 226,807 bytes for the plan of the validation frames (docs/sources.md)."""
    names = partition(level="frame", split="validate").usual_names()
    assert len(set(names)) == 3844
    assert len(json.dumps({"files": dict.fromkeys(names, "0" * 32)})) == 226_807


@pytest.mark.parametrize("split", ["train", "validate", "test"])
def test_names_on_disk_differ_whatever_their_case(split):
    made = Partition("2018", "video", split)
    assert len({made.local_name(n).lower() for n in made.usual_names()}) == 3844


def test_sizes_are_those_of_the_release():
    splits = ("train", "validate", "test")
    total = {
        level: sum(3844 * partition(level=level, split=s).usual_bytes() for s in splits)
        for level in ("video", "frame")
    }
    assert total["frame"] == pytest.approx(1.53e12, rel=0.001)
    assert 3844 * partition().usual_bytes() == pytest.approx(18e9, rel=0.03)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": "segment"}, "only --split=validate and --split=test"),
        ({"level": "segment", "release": "2018"}, "it has --level=video, --level=frame"),
        ({"level": "video", "release": "2019", "split": "test"}, "--release=2019 has no"),
        ({"release": "2017"}, "withdrawn .* --base_url"),
        ({"base_url": "mirror.example.org/yt8m"}, "begins with http://"),
    ],
)
def test_what_was_never_published_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        partition(**settings)
