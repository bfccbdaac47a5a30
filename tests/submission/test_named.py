"""The readable file beside a submission."""

import csv
import json
import os

import numpy as np
import pytest

from tests.support.commands import refused, run_command
from tests.support.runs import run_on
from tests.support.untrained import save_untrained
from yt8m.data.vocabulary import read_vocabulary
from yt8m.runs.classes.names import ClassNames
from yt8m.submission.kaggle_videos import read_csv
from yt8m.submission.named import NamedWriter, named_path

NAMES = ClassNames(("Game", 'Car, "fast"', "2", "Ñandú"), "vocabulary.csv")
SCORES = np.array([[0.1, 0.9, 0.5, 0.2], [0.25, 0.0, 1e-7, 0.75]], np.float32)


def written(path, names_format, top_k=2):
    with NamedWriter(str(path), NAMES, top_k, names_format) as out:
        out.write([b"aaaa", "bbbb"], SCORES)
        out.write([], SCORES[:0])
    return path.read_text(encoding="utf-8")


def test_csv_has_a_line_for_each_video_and_class(tmp_path):
    assert written(tmp_path / "x.csv", "csv").splitlines() == [
        "VideoId,Rank,Class,Name,Score",
        'aaaa,1,1,"Car, ""fast""",0.9',
        "aaaa,2,2,2,0.5",
        "bbbb,1,3,Ñandú,0.75",
        "bbbb,2,0,Game,0.25",
    ]


def test_json_lines_have_an_object_for_each_video(tmp_path):
    videos = [json.loads(line) for line in written(tmp_path / "x", "jsonl", 9).splitlines()]
    assert [video["id"] for video in videos] == ["aaaa", "bbbb"]
    assert [c["name"] for c in videos[0]["classes"]] == ['Car, "fast"', "2", "Ñandú", "Game"]
    assert videos[1]["classes"][2] == {"class": 2, "name": "2", "score": 1e-07}


@pytest.fixture(scope="module")
def flags(small_data, tmp_path_factory):
    """Flags that predict with a run that was not trained."""
    run = save_untrained(
        run_on(small_data, "LogisticModel"), tmp_path_factory.mktemp("named") / "run"
    )
    return [f"--train_dir={run}", f"--input_data_pattern={small_data.pattern('test', 'video')}"]


def test_inference_writes_the_classes_of_its_submission_with_their_names(
    flags, small_data, tmp_path
):
    for names_format in ("csv", "jsonl"):
        more = [f"--output_file={tmp_path}/s.csv", "--top_k=3", f"--names_format={names_format}"]
        ended = run_command("predict", *flags, *more, "--with_names")
        assert ended.code == 0, ended.err
        assert f"wrote {tmp_path}/s.csv and {tmp_path}/s.named.{names_format}" in ended.out
    rows = list(read_csv(str(tmp_path / "s.csv")))
    with open(tmp_path / "s.named.csv", encoding="utf-8") as source:
        named = list(csv.DictReader(source))
    assert [int(line["Class"]) for line in named] == [c for row in rows for c in row.classes]
    names = read_vocabulary(os.path.join(small_data.folder, "video", "vocabulary.csv")).names
    assert all(line["Name"] == names[int(line["Class"])] for line in named)
    videos = [json.loads(line) for line in (tmp_path / "s.named.jsonl").read_text().splitlines()]
    assert [video["id"] for video in videos] == [row.id for row in rows]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--output_scores={}/s", "--with_names"], "add --output_file"),
        (["--output_file={}/s.csv", "--names_format=jsonl"], "add --with_names"),
        (["--output_file={}/s.csv", "--with_names", "--vocabulary_file={}/v"], "2 classes, but"),
    ],
)
def test_names_without_a_file_or_of_other_classes_are_refused(flags, tmp_path, more, message):
    (tmp_path / "v").write_text("0,a\n1,b\n")
    assert message in refused("predict", *flags, *(flag.format(tmp_path) for flag in more))
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


def test_the_file_is_beside_the_submission():
    assert named_path("gs://b/x.y/moe.csv", "jsonl") == "gs://b/x.y/moe.named.jsonl"
    assert named_path("runs.v1/moe", "csv") == "runs.v1/moe.named.csv"
