"""Every writer goes on from a position as if it had never stopped."""

import functools
import os
import pathlib

import numpy as np
import pytest

from yt8m.files import CannotGoOn
from yt8m.submission.kaggle_segments import SegmentCsvWriter
from yt8m.submission.kaggle_videos import CsvWriter
from yt8m.submission.score_files import ScoreWriter
from yt8m.submission.scores.best import BestWriter

CLASSES, VIDEOS = 30, 200
SCORES = np.random.default_rng(0).random((VIDEOS, CLASSES), dtype=np.float32)
WRITERS = {
    "csv": (functools.partial(CsvWriter, top_k=20), "v{:03d}"),
    "segments": (functools.partial(SegmentCsvWriter, top_k=3, max_per_class=15), "v{:03d}:20"),
    "float32": (functools.partial(ScoreWriter, num_classes=CLASSES), "v{:03d}"),
    "best": (functools.partial(BestWriter, num_classes=CLASSES, top_k=4), "v{:03d}"),
    "float16": (functools.partial(ScoreWriter, num_classes=CLASSES, dtype="float16"), "v{:03d}"),
}


def add(writer, ids, start, end):
    for first in range(start, end, 10):
        rows = range(first, first + 10)
        writer.write([ids.format(i) for i in rows], SCORES[first : first + 10])


def content(folder: pathlib.Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def whole(make, ids, folder):
    with make(str(folder / "out")) as writer:
        add(writer, ids, 0, VIDEOS)
    return content(folder)


@pytest.mark.parametrize("name", WRITERS)
def test_what_goes_on_from_a_position_is_what_was_never_stopped(name, tmp_path):
    make, ids = WRITERS[name]
    (tmp_path / "whole").mkdir()
    expected = whole(make, ids, tmp_path / "whole")
    folder = tmp_path / "stopped"
    folder.mkdir()
    path = str(folder / "out")
    writer = make(path)
    for at in (60, 120):  # positions are taken again and again, and the last one counts
        add(writer, ids, at - 60, at)
        position = writer.position()
    add(writer, ids, 120, 170)  # lost
    writer.leave()
    again = make(path, at=position)
    add(again, ids, 120, 150)
    later = again.position()
    again.leave()
    with make(path, at=later) as last:
        add(last, ids, 150, VIDEOS)
    assert content(folder) == expected


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_to_go_on_with_is_said_and_a_new_beginning_leaves_nothing(name, tmp_path):
    make, ids = WRITERS[name]
    path = str(tmp_path / "out")
    writer = make(path)
    add(writer, ids, 0, 60)
    position = writer.position()
    writer.leave()
    for left in content(tmp_path):
        os.truncate(tmp_path / left, 3)
    with pytest.raises(CannotGoOn):
        make(path, at=position)
    (tmp_path / "whole").mkdir()
    expected = whole(make, ids, tmp_path / "whole")
    with make(path) as again:
        add(again, ids, 0, VIDEOS)
    found = {k: v for k, v in content(tmp_path).items() if not k.startswith("whole")}
    assert found == expected


@pytest.mark.parametrize("name", WRITERS)
def test_the_estimate_is_near_the_bytes_on_the_disk(name, tmp_path):
    make, ids = WRITERS[name]
    writer = make(str(tmp_path / "out"))
    estimate = writer.estimated_bytes(VIDEOS)
    add(writer, ids, 0, VIDEOS)
    writer.close()
    written = sum(map(len, content(tmp_path).values()))
    # Of the segments, more are ranked than their classes may list.
    assert written / 2 < estimate < written * (2.5 if name == "segments" else 2)


def test_a_ranking_that_is_cut_off_cannot_be_gone_on_with(tmp_path):
    make, ids = WRITERS["segments"]
    path = str(tmp_path / "out")
    writer = make(path)
    add(writer, ids, 0, 60)
    position = writer.position()
    writer.leave()
    saved = f"{path}.partial.1.npz"
    os.truncate(saved, os.path.getsize(saved) - 100)
    with pytest.raises(CannotGoOn, match="cannot be read"):
        make(path, at=position)


def test_a_file_in_a_bucket_has_no_position(tmp_path):
    with CsvWriter(f"file://{tmp_path}/s.csv") as writer:
        assert writer.position() is None
