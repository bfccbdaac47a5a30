"""The data sets of the small variants, and what is refused in making them."""

import dataclasses
import functools
import glob
import os

import pytest

from tests.papers.helpers import SIZES, make_runner
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.papers.make_data import make
from yt8m.papers.small_data import Sizes, describe


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for data sets that the tests of this module share."""
    return str(tmp_path_factory.mktemp("data"))


def test_a_missing_or_small_sample_is_reported(sample, tmp_path, monkeypatch):
    monkeypatch.delenv("YT8M_SAMPLE_DIR", raising=False)
    with pytest.raises(UserError, match=r"--sample_dir=DIR or \$YT8M_SAMPLE_DIR"):
        make_runner(tmp_path).run("two")
    with pytest.raises(UserError, match="has no train/"):
        make_runner(tmp_path, str(tmp_path)).run("two")
    with pytest.raises(UserError, match=r"contains 2 shards, but .* needs 20"):
        make("sample-video", str(tmp_path), sample)


def test_a_folder_of_both_levels_serves_each_row_its_own(tmp_path):
    for level in ("video", "frame"):
        os.makedirs(tmp_path / f"{level}_level" / "train")
    found = describe(str(tmp_path), "", level="frame")
    assert found.train.endswith("frame_level/train/*.tfrecord")
    assert found.validation("video").endswith("video_level/validate*.tfrecord")


def test_frames_are_made_around_the_same_videos(sample, place):
    made = make("sample-frames", place, sample, SIZES)
    ids = {}
    for level in ("frame", "video"):
        files = find_shards(made.validation(level))
        schema, _ = find_schema(files)
        batches = build_dataset(files, schema, batch_size=8)
        ids[level] = sorted(i for b in batches for i in b["id"].numpy())
        assert schema.level == level
    assert ids["frame"] == ids["video"]
    assert len(ids["frame"]) == 30
    assert make("sample-frames", place, "", SIZES) == made, "made before: it needs no sample"
    with pytest.raises(UserError, match="in other sizes"):
        make("sample-frames", place, sample, Sizes())


def test_exact_means_are_of_the_videos_that_frames_are_made_around(sample, place):
    means = make("sample-means-all", place, sample, SIZES)
    frames = make("sample-frames-all", place, "", SIZES)
    videos = make("sample-video-all", place, "", SIZES)
    assert means.level == "video"
    assert means.train == videos.train
    assert means.validation() == frames.validation("video")
    assert make("sample-means-all", place, "", SIZES) == means


def test_audioset_is_linked_to_and_found_again(tmp_path, monkeypatch):
    monkeypatch.delenv("YT8M_AUDIOSET_DIR", raising=False)
    for source in "ab":
        for split in ("train", "validate"):
            os.makedirs(tmp_path / source / split)
            (tmp_path / source / split / f"{source}.tfrecord").touch()
    place = str(tmp_path / "data")
    with pytest.raises(UserError, match=r"--audioset_dir=DIR or \$YT8M_AUDIOSET_DIR"):
        make("audioset", place)
    for source in "ab":
        made = make("audioset", place, audioset_dir=str(tmp_path / source))
        assert [os.path.basename(f) for f in find_shards(made.train)] == [f"{source}.tfrecord"]
    assert make("audioset", place) == made
    assert made.train == f"{place}/audioset/train/*.tfrecord"
    assert made.eval_flags == ("--top_k=527",)


def test_a_part_has_the_first_shards_and_the_same_validation_videos(sample, place):
    names = ("sample-video-few", "sample-video", "sample-video-all")
    part, base, whole = (make(name, place, sample, SIZES) for name in names)
    shards = [sorted(map(os.path.basename, glob.glob(x.train))) for x in (part, base, whole)]
    assert shards[0] == shards[1] == shards[2][:1]
    assert len(shards[2]) == 2
    assert part.validate == base.validate
    assert part.name == "sample-video-few"
    with pytest.raises(UserError, match=r"contains 1 shards.*needs 2"):
        make("sample-frames-some", place, sample, dataclasses.replace(SIZES, frames_some=2))


@functools.cache
def read(pattern, num_classes=12):
    """Return id -> (labels, features) of the videos of some shards."""
    files = find_shards(pattern)
    schema, _ = find_schema(files, num_classes=num_classes)
    found = {}
    for batch in build_dataset(files, schema, batch_size=16):
        values = zip(batch["id"].numpy(), batch["labels"].numpy(), batch["video"].numpy())
        found.update({i: (labels, video) for i, labels, video in values})
    return found


def test_each_video_of_sample_single_has_its_rarest_label(sample, place):
    single = make("sample-single", place, sample, SIZES)
    whole = make("sample-video-all", place, sample, SIZES)
    assert single.flags == ("--num_classes=5",)
    for one, all_ in ((single.train, whole.train), (single.validation(), whole.validation())):
        got, had = read(one), read(all_)
        assert set(got) == {i for i, (labels, _) in had.items() if labels[:5].any()}
        assert 0 < len(got) < len(had)
        for i, (labels, video) in got.items():
            assert labels.sum() == 1
            assert labels.argmax() == max(c for c in range(5) if had[i][0][c])
            assert (video == had[i][1]).all()


def test_sample_common_has_its_classes_and_videos_to_select_by_apart_from_those_to_test(
    sample, place
):
    common = make("sample-common", place, sample, SIZES)
    whole = make("sample-video-all", place, sample, SIZES)
    assert common.flags == ("--num_classes=7",)
    train, select, test = map(read, (common.train, common.validation(), common.test))
    assert not set(select) & set(test)
    for got, all_ in ((train, read(whole.train)), (select | test, read(whole.validation()))):
        assert set(got) == {i for i, (labels, _) in all_.items() if labels[:7].any()}
        assert 0 < len(got) <= len(all_)
        for i, (labels, video) in got.items():
            assert (labels[:7] == all_[i][0][:7]).all()
            assert not labels[7:].any()
            assert (video == all_[i][1]).all()


def test_synthetic_modes_are_videos_of_the_same_classes_in_three_splits(place):
    made = make("synthetic-modes", place, "", SIZES)
    assert made.flags == ("--num_classes=4",)
    splits = [read(x, 4) for x in (made.train, made.validation(), made.test)]
    assert [len(s) for s in splits] == [80, 20, 30]
    assert len(set().union(*splits)) == 130
    assert {len(video) for s in splits for _, video in s.values()} == {7}
    again = make("synthetic-modes", place, "", SIZES)
    assert again == made
