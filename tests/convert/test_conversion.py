"""Splits, shards, interruptions and refusals of a conversion."""

import pathlib

import numpy as np
import pytest

from tests.convert.conftest import KINDS, as_npy, as_npz
from tests.support.commands import refused, run_command
from yt8m.convert import plan, run
from yt8m.convert.labels import made_from, read_labels
from yt8m.convert.settings import ConvertSettings
from yt8m.data.label_rows import split_labels
from yt8m.errors import UserError
from yt8m.files import read_json


def convert(source, *flags):
    out = source.parent / "out"
    ended = run_command("convert", *flags, f"--out_dir={out}")
    assert ended.code == 0, ended.err
    return out, ended.out


def shards(folder):
    return {p.name: p.read_bytes() for p in sorted(pathlib.Path(folder).glob("*.tfrecord"))}


def test_the_seed_and_the_fractions_decide_the_split():
    settings = ConvertSettings(validate_fraction=0.2, test_fraction=0.1)
    parts = plan.split(50, settings)
    assert {name: len(p) for name, p in parts.items()} == {"train": 35, "validate": 10, "test": 5}
    assert sorted(n for part in parts.values() for n in part) == list(range(50))
    assert plan.split(50, settings) == parts
    other = ConvertSettings(validate_fraction=0.2, test_fraction=0.1, seed=1)
    assert plan.split(50, other)["test"] != parts["test"]
    files = plan.shards(parts, 100, training_shards=7)
    assert [len(files[f"train{i:05d}.tfrecord"]) for i in range(7)] == [5] * 7
    assert sum(name.startswith("validate") for name in files) == 2
    assert len(plan.shards(parts, plan.SHARD_BYTES, 0)) == 50
    assert [len(w) for w in plan.waves(files, 16 << 20)] == [3, 3, 3, 1]


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet", "tfrecord"])
def test_a_killed_conversion_goes_on_with_the_missing_shards(kind, source, monkeypatch):
    flags = [*KINDS[kind](source), "--shards=4", "--validate_fraction=0.25"]
    whole = shards(convert(source, *flags)[0])
    assert list(whole) == [f"train{i:05d}.tfrecord" for i in range(4)] + ["validate00000.tfrecord"]
    out = source.parent / "killed"
    monkeypatch.setattr(plan, "_WAVE_BYTES", 1)  # one shard in each pass
    write, done = run.write_shard, []

    def killed(path, records):
        if len(done) == 2:
            (out / (pathlib.Path(path).name + ".tmp")).write_bytes(b"half of a shard")
            raise KeyboardInterrupt
        done.append(path)
        return write(path, records)

    monkeypatch.setattr(run, "write_shard", killed)
    assert run_command("convert", *flags, f"--out_dir={out}").code == 130
    assert len(shards(out)) == 2
    monkeypatch.setattr(run, "write_shard", write)
    ended = run_command("convert", *flags, f"--out_dir={out}")
    assert "2 of 5 shards are there already" in ended.out
    assert "--max_frames" not in ended.out  # nobody has seen all of the videos
    assert shards(out) == whole
    assert not list(out.glob("*.tmp"))


def test_another_conversion_in_the_folder_is_refused(source):
    flags = as_npz(source)
    out, _ = convert(source, *flags)
    assert read_json(str(out / "convert.json"))["settings"]["seed"] == 0
    before = shards(out)
    assert "other settings" in refused("convert", *flags, f"--out_dir={out}", "--seed=1")
    np.savez(source / "v99.npz", clip=np.zeros((1, 5)), labels=["jazz"])
    assert "other input" in refused("convert", *flags, f"--out_dir={out}")
    assert shards(out) == before


@pytest.mark.parametrize("name", ["train00000.tfrecord", "vocabulary.csv"])
def test_a_file_of_no_conversion_is_kept(name, source):
    as_npy(source)
    out = source.parent / "out"
    out.mkdir()
    (out / name).write_text("somebody's")
    flags = (f"{source}/*.npy", f"--labels={source}/labels.csv", f"--out_dir={out}")
    assert f"has {name}, but no" in refused("convert", *flags)
    assert [path.name for path in out.iterdir() if path.suffix != ".lock"] == [name]
    assert (out / name).read_text() == "somebody's"


def test_videos_and_labels_that_do_not_match(source):
    flags = as_npy(source)
    (source / "labels.csv").write_text("v1,jazz\nv1,live\nv2,rock\nzz,rock\n")
    _, said = convert(source, *flags, "--validate_fraction=0.5")
    assert "10 videos have no row there and are left out; 1 ids there have no video" in said
    assert "2 videos: frame-level" in said
    (source / "labels.csv").write_text("a,jazz\n")
    said = refused("convert", *flags, f"--out_dir={source}/x")
    assert (
        "has no id of the input, whose ids are like 'v0'; those of the labels are like 'a'" in said
    )


def test_further_columns_of_the_labels_file_are_no_labels(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text('\ufefftitle,Label,VideoId\n"a, b",jazz,v1\nc,rock;live,v2\nd,,v3\n')
    assert read_labels(str(path)) == {"v1": ("jazz",), "v2": ("rock", "live"), "v3": ()}
    path.write_text("id,label,label\nv1,jazz,live\n")
    assert read_labels(str(path)) == {"v1": ("jazz", "live")}
    path.write_text("id,labels\nv1,jazz,live\n")
    assert read_labels(str(path)) == {"v1": ("jazz", "live")}
    path.write_text("id,title,label\nv1,a,b,jazz\n")
    with pytest.raises(UserError, match="line 2: 4 values, and the header has 3 names"):
        read_labels(str(path))


def test_videos_without_a_label_are_counted(source):
    path = source / "table.csv"
    path.write_text("id,label,x0\na,jazz,1\nb,,2\nc,nan,3\n")
    _, said = convert(source, str(path), "--validate_fraction=0")
    assert "2 videos have no label: training and the metrics take them for" in said


def test_ids_that_no_submission_could_contain_are_changed(source):
    flags = as_npy(source)
    (source / "v0.npy").rename(source / "my video, 1.npy")
    text = (source / "labels.csv").read_text().replace("v0,", '"my video, 1",')
    (source / "labels.csv").write_text(text)
    out, said = convert(source, *flags, "--validate_fraction=0")
    assert "1 ids contain commas or white space" in said
    assert "such as my_video_1 for 'my video, 1'" in said
    assert b"my_video_1" in shards(out)["train00000.tfrecord"]
    (source / "my video 1.npy").write_bytes((source / "v1.npy").read_bytes())
    (source / "labels.csv").write_text(text + "my video 1,jazz\n")
    assert "two ids are the same" in refused("convert", *flags, f"--out_dir={source}/x")


def test_unusable_videos(source):
    flags = [*as_npz(source), f"--out_dir={source.parent}/out", "--validate_fraction=0"]
    np.savez(source / "v3.npz", clip=np.array([[1, np.nan, 0, 0, np.inf]]), labels=["rock"])
    np.savez(source / "v5.npz", clip=np.zeros((2, 4)), labels=["rock"])
    (source / "v7.npz").write_bytes(b"no archive")
    said = refused("convert", *flags)
    assert "'v3' cannot be used: 2 of the 5 values of clip are NaN or infinite" in said
    said = refused("convert", *flags, "--max_bad_videos=1")
    assert "'v5' cannot be used: it has clip (4 float32 frames), and the videos before it" in said
    assert "'v7' cannot be used: it cannot be read" in refused(
        "convert", *flags, "--max_bad_videos=2"
    )
    ended = run_command("convert", *flags, "--max_bad_videos=3")
    assert ended.code == 0, ended.err
    assert "3 videos could not be used and were left out" in ended.out


REFUSALS = {
    "no folder": (["X/*.npy"], "--out_dir is empty"),
    "no input": (["--out_dir=Y"], "--input is empty"),
    "nothing there": (["X/*.txt", "--out_dir=Y"], "matches no file"),
    "an unknown kind": (["X/labels.csvx", "--out_dir=Y"], "of no known kind"),
    "several kinds": (["X/*.npy,X/labels.csv", "--out_dir=Y"], "several kinds"),
    "fractions": (["X/*.npy", "--out_dir=Y", "--test_fraction=0.95"], "more than 1"),
    "no validation": (["X/*.npy", "--out_dir=Y", "--validate_fraction=0.01"], "is none"),
    "a renaming": (["X/*.npy", "--out_dir=Y", "--rename=a"], "expected OLD:NEW"),
    "two names of one": (["X/*.npy", "--out_dir=Y", "--rename=feature:a,feature:b"], "two names"),
    "a renaming of nothing": (
        ["X/*.npy", "--out_dir=Y", "--rename=nothere:x"],
        "the input has no feature nothere; it has feature",
    ),
    "a renaming to another": (["X/two.csv", "--out_dir=Y", "--rename=a:b"], "would be called b"),
    "a key of records": (["X/*.npy", "--out_dir=Y", "--feature_name=labels"], "called labels"),
    "the key of ids": (["X/*.npy", "--out_dir=Y", "--rename=feature:video_id"], "called video_id"),
    "a table without features": (["X/labels.csv", "--out_dir=Y"], "no columns of features"),
    "a label that is no class": (
        ["X/*.npy", "--out_dir=Y", "--labels=X/labels.csv", "--vocabulary_file=X/names.csv"],
        "'live' of v1 is not one of the 2 classes",
    ),
    "a column that is not there": (
        ["X/table.csv", "--out_dir=Y", "--id_column=vidio_id"],
        "Did you mean video_id",
    ),
    "an id that occurs twice": (["X/twice.csv", "--out_dir=Y"], "the id 'a' occurs twice"),
    "a short row": (["X/short.csv", "--out_dir=Y"], "row 2 has 2 values"),
    "semicolons": (["X/semicolons.csv", "--out_dir=Y"], "has ';' between its values"),
    "a remote input": (["gs://b/*.npy", "--out_dir=Y"], "is remote"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name, source):
    as_npy(source)
    (source / "labels.csvx").write_text("")
    (source / "names.csv").write_text("0,jazz\n1,rock\n")
    (source / "table.csv").write_text("video_id,x0\na,1\n")
    (source / "two.csv").write_text("video_id,a0,b0\na,1,2\n")
    (source / "twice.csv").write_text("video_id,x0\na,1\nb,1\na,2\n")
    (source / "semicolons.csv").write_text("video_id;x0\na;1,5\n")
    (source / "short.csv").write_text("video_id,x0,x1\na,1,2\nb,1\n")
    flags, expected = REFUSALS[name]
    out = source.parent / "out"
    said = refused("convert", *(f.replace("X", str(source)).replace("Y", str(out)) for f in flags))
    assert expected in said
    assert not list(source.parent.glob("out/*.tfrecord*"))


@pytest.mark.parametrize("wrong", ["-3", "9000000000"])
def test_numbers_of_no_class_are_no_names(wrong):
    assert made_from([["5", "zebra"], [wrong]]).names == sorted(["5", "zebra", wrong])
    with pytest.raises(UserError, match=f"the labels are numbers, but {wrong} is not"):
        made_from([["5"], [wrong]])


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("a b;c", ("a b", "c")),
        ("a|b", ("a", "b")),
        ("[1, 2]", ("1", "2")),
        ("3 4,5", ("3", "4", "5")),
        ([1, 2], ("1", "2")),
        (7, ("7",)),
        ("12.0", ("12",)),
        ("v1.0;2.00", ("v1.0", "2")),
        ("nan", ()),
        (float("nan"), ()),
        ([3.0, None, float("nan")], ("3",)),
        ("[3.0, null]", ("3",)),
        ("", ()),
    ],
)
def test_labels_in_a_cell(cell, labels):
    assert split_labels(cell) == labels
