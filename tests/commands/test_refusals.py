"""Every check against every command: what one of them refuses or says, its siblings do as well.

A row is a fault of the records. A column is a command that reads records. `TABLE` has what each
command does about each fault: "refused" or "said", with words of the message; "found" where the
command ends with 1; or "read". `download` gets the records from a server, and `papers` trains a row
on them.
"""

import contextlib
import gzip
import os
import pathlib
import shutil

import pytest

from tests.papers.helpers import make_row
from tests.support.commands import run_command
from tests.support.mirror import FOLDER, Mirror
from tests.support.records import CLASSES, Maker, damage, rgb_audio_frames, rgb_audio_means
from tests.support.runs import new_run
from tests.support.untrained import save_untrained
from yt8m.commands import start_run
from yt8m.papers import __main__ as papers
from yt8m.papers import one_run
from yt8m.process.child_process import Finished

VIDEOS = 12  # of each shard


def record(maker, level, i, labels="own", **more):
    labels = maker.labels(i) if labels == "own" else labels
    if level == "video":
        return rgb_audio_means(i, maker.video_values(i), labels, **more)
    return rgb_audio_frames(i, maker.frame_values(i), labels, **more)


def good(maker, level, **more):
    """Write two shards, `a0` and `a1`."""
    return [
        maker.shard(
            f"a{s}.tfrecord",
            [record(maker, level, i, **more) for i in range(s * VIDEOS, (s + 1) * VIDEOS)],
        )
        for s in range(2)
    ]


def no_labels(maker, level):
    good(maker, level, labels=None)


def empty_labels(maker, level):
    good(maker, level, labels=[])


def two_vocabularies(maker, level):
    for s, key in enumerate(["id", "video_id"]):
        records = [record(maker, level, i, id_key=key) for i in range(s * VIDEOS, (s + 1) * VIDEOS)]
        maker.shard(f"a{s}.tfrecord", records)


def label_beyond(maker, level):
    good(maker, level, labels=[1, 77])


def negative_label(maker, level):
    good(maker, level, labels=[1, -3])


def broken(maker, level):
    for path in good(maker, level):
        for i in range(VIDEOS):
            damage(path, i, "payload")


def empty_shard(maker, level):
    open(good(maker, level)[1], "wb").close()


def only_empty_shards(maker, level):
    for path in good(maker, level):
        open(path, "wb").close()


def text_shard(maker, level):
    with open(good(maker, level)[1], "w") as out:
        out.write("this is text\n" * 100)


def compressed_shard(maker, level):
    path = good(maker, level)[1]
    with open(path, "rb") as plain:
        content = plain.read()
    with open(path, "wb") as out:
        out.write(gzip.compress(content))


def dangling_link(maker, level):
    good(maker, level)
    os.symlink("/nowhere/at/all", maker.folder / "a2.tfrecord")


def folder_among_shards(maker, level):
    good(maker, level)
    (maker.folder / "a2.tfrecord").mkdir()


def two_levels(maker, level):
    good(maker, level)
    other = "frame" if level == "video" else "video"
    maker.shard("a1.tfrecord", [record(maker, other, i + VIDEOS) for i in range(VIDEOS)])


TRAIN = ("train", "fine-tune", "partitioned", "alternating", "frame network")
VALIDATE = ("validate", "partitioned validate", "alternating validate")
LEARN = (*TRAIN, *VALIDATE)
MEASURE = (*LEARN, "papers", "eval", "fuse", "analyse")
LOOK = ("inspect", "inspect --full", "conformance")
PREDICT = ("predict", "predict frames", "predict scores")
ALL = (*MEASURE, *PREDICT, *LOOK, "convert", "synthetic")


def does(what, words, *columns):
    return {column: (what, words) for column in columns}


TABLE = {
    no_labels: {
        **does("read", "", *PREDICT, "convert", "conformance", "download"),
        **does("refused", "has no labels: none of the 24 records examined has one", *MEASURE),
        **does("said", "labels: none", "inspect"),
    },
    empty_labels: {
        **does("refused", "none of the 24 records", *MEASURE),
        **does("read", "", *PREDICT, "convert", "conformance", "download"),
    },
    two_vocabularies: {
        **does("said", "have their id under id", *LEARN, "eval", "fuse", "analyse", "inspect"),
        # Predictions have no labels, and convert takes each label for a name.
        **does("read", "", *PREDICT, "convert", "synthetic", "conformance", "download"),
    },
    label_beyond: {
        **does("refused", "a record has label 77, but there are 10 classes", *MEASURE, "synthetic"),
        **does("said", "the highest is 77", "inspect"),
        **does("read", "", *PREDICT, "conformance", "download"),
    },
    negative_label: {
        **does("refused", "a record has label -3", *MEASURE, "synthetic"),
        **does("said", "label -3 is below 0", "inspect"),
        **does("read", "", *PREDICT, "conformance", "download"),
    },
    broken: {
        **does("refused", "contain no complete record", *MEASURE, *PREDICT, "inspect", "synthetic"),
        **does("refused", "broken record at byte 0", "score-segments"),
        **does("found", "24 broken records", "inspect --full"),
        **does("refused", "is broken at byte 0", "convert"),
        **does("refused", "no record with features could be read", "conformance"),
        **does("found", "its first record does not match its checksum", "download"),
    },
    empty_shard: {
        **does("said", "a1.tfrecord is empty (0 bytes)", *LEARN, "eval", "predict", "analyse"),
        **does("said", "a1.tfrecord is empty (0 bytes)", *LOOK, "convert", "synthetic"),
        **does("said", "a1.tfrecord is empty (0 bytes)", "predict frames", "predict scores"),
        **does("refused", "is missing 12 of the 24 in the inputs", "fuse"),
        **does("found", "it is empty (0 bytes)", "download"),
    },
    only_empty_shards: {
        **does("refused", "empty (0 bytes)", *ALL, "score-segments"),
        **does("found", "it is empty (0 bytes)", "download"),
    },
    text_shard: {
        **does("refused", "text that begins with 'this is text'", *ALL, "score-segments"),
        **does("found", "text that begins with 'this is text'", "inspect --full", "download"),
    },
    compressed_shard: {
        **does("refused", "compressed (gzip)", *ALL, "score-segments"),
        **does("found", "compressed (gzip)", "inspect --full", "download"),
    },
    dangling_link: does("refused", "link to a file that was deleted", *ALL, "score-segments"),
    folder_among_shards: does(
        "read", "", *LEARN, "eval", "fuse", "analyse", *PREDICT, *LOOK, "convert", "synthetic"
    ),
    two_levels: {
        **does("refused", "level records", *ALL),
        **does("read", "", "conformance", "download"),
    },
}
CELLS = [(fault, column) for fault, cells in TABLE.items() for column in cells]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Make the records of every fault, runs without training, and scores to fuse."""
    place = tmp_path_factory.mktemp("refusals")
    for fault in (good, *TABLE):
        for level in ("video", "frame"):
            folder = place / fault.__name__ / level
            folder.mkdir(parents=True)
            fault(Maker(folder), level)
    for name, level in (("LogisticModel", "video"), ("FrameLevelLogisticModel", "frame")):
        pattern = f"{place}/good/{level}/*.tfrecord"
        schema = getattr(Maker, level)
        save_untrained(new_run(pattern, name, schema=schema), place / f"run {level}")
    schema, width = Maker.frame, {"width": 8}
    pattern = f"{place}/good/frame/*.tfrecord"
    save_untrained(
        new_run(pattern, "DbofBasic", schema=schema, arguments=width), place / "run network"
    )
    done = run_command("predict", *predicts(place, "video"), f"--output_scores={place}/scores")
    assert done.code == 0, done.err
    shutil.copytree(place / "scores", place / "scores 2")
    (place / "segments.csv").write_text("Class,Segments\n1,v1:0 v2:5\n")
    return place


def predicts(place, level, fault="good"):
    records = f"--input_data_pattern={place}/{fault}/{level}/*.tfrecord"
    return [f"--train_dir={place}/run {level}", records]


def arguments(place, column, pattern, output):
    """Return the command line of a column: what reads `pattern` and writes into `output`."""
    intact = f"{place}/good/video/*.tfrecord"
    common = [f"--num_classes={CLASSES}", f"--train_dir={output}/run"]
    trained = [*common, f"--train_data_pattern={pattern}", f"--eval_data_pattern={intact}"]
    validated = [*common, f"--train_data_pattern={intact}", f"--eval_data_pattern={pattern}"]
    partitioned = ["--model=PmoeModel", "--trainer=partitioned"]
    alternating = ["--model=VideoDbofBasic", "--trainer=alternating"]
    frames = pattern.replace("/video/", "/frame/")
    run, network = f"--train_dir={place}/run video", f"--frame_network={place}/run network"
    return {
        "train": ["train", "--model=LogisticModel", *trained],
        "fine-tune": ["train", "--model=LogisticModel", f"--init_from={place}/run video", *trained],
        "partitioned": ["train", *partitioned, *trained],
        "alternating": ["train", *alternating, *trained],
        "frame network": [
            *("train", "--model=DbofBasic", "--trainer=alternating", network),
            *common,
            f"--train_data_pattern={frames}",
            f"--eval_data_pattern={intact.replace('/video/', '/frame/')}",
        ],
        "validate": ["train", "--model=LogisticModel", *validated],
        "partitioned validate": ["train", *partitioned, *validated],
        "alternating validate": ["train", *alternating, *validated],
        "eval": ["eval", run, f"--eval_data_pattern={pattern}", f"--output_dir={output}/eval"],
        "predict": ["predict", run, f"--input_data_pattern={pattern}", f"--output_file={output}/c"],
        "predict frames": [
            *("predict", f"--train_dir={place}/run frame"),
            *(f"--input_data_pattern={frames}", f"--output_file={output}/c"),
        ],
        "predict scores": [
            *("predict", run, f"--input_data_pattern={pattern}", f"--output_scores={output}/s"),
        ],
        "fuse": [
            *("fuse", f"--inputs={place}/scores,{place}/scores 2"),
            *(f"--labels={pattern}", f"--output_file={output}/c"),
        ],
        "analyse": [
            *("analyse", f"--data_pattern={pattern}", f"--num_classes={CLASSES}"),
            *("--nofigures", f"--out_dir={output}/a"),
        ],
        "inspect": ["inspect", pattern],
        "inspect --full": ["inspect", "--full", pattern],
        "conformance": ["conformance", pattern, "--save", f"{output}/statistics.json"],
        "synthetic": [
            *("synthetic", f"--from_video_level={pattern}", f"--num_classes={CLASSES}"),
            *(f"--out_dir={output}/frames", "--frames=1,3"),
        ],
        "score-segments": [
            *("score-segments", f"--submission_file={place}/segments.csv"),
            f"--eval_data_pattern={frames}",
        ],
        "convert": ["convert", pattern, f"--out_dir={output}/records"],
        "papers": [
            *("papers", "run", "logistic", f"--data={as_data_set(pattern, intact, output)}"),
            f"--out_dir={output}/papers",
        ],
        "download": ["download", f"--out_dir={output}/data", "--share=1", "--retry_seconds=0.01"],
    }[column]


def as_data_set(pattern, intact, output):
    """Return a folder with links to the records of both patterns, as `papers` takes it."""
    folder = output / "set"
    for split, source in (("train", pattern), ("validate", intact)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for path in pathlib.Path(source).parent.iterdir():
            if not (folder / split / path.name).is_symlink():
                (folder / split / path.name).symlink_to(path)
    return folder


@contextlib.contextmanager
def served(pattern):
    """Yield the flag that names a server of some records."""
    mirror = Mirror(names=())
    for path in pathlib.Path(pattern).parent.glob("*.tfrecord"):
        mirror.files[f"{FOLDER}train{path.stem}.tfrecord"] = path.read_bytes()
    mirror.publish()
    try:
        yield f"--base_url={mirror.url}"
    finally:
        mirror.close()


@pytest.fixture
def small_papers(monkeypatch):
    """Let `papers` have one small row, and run its commands in this process."""
    row = make_row("logistic", f"--model=LogisticModel --num_classes={CLASSES}")
    monkeypatch.setattr(papers, "load_all", lambda: {row.name: row})

    def run(command, log, say):
        ended = run_command(*command[3:])
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "a") as file:
            file.write(ended.out + ended.err)
        return Finished(ended.code, 1.0, 1)

    monkeypatch.setattr(one_run.child_process, "run", run)


@pytest.fixture
def no_training(monkeypatch):
    """Let training commands end where the trainer would begin."""
    monkeypatch.setattr(start_run.trainers, "get", lambda _: lambda *given: None)


@pytest.mark.parametrize(("fault", "column"), CELLS, ids=lambda v: getattr(v, "__name__", v))
def test_a_fault_of_the_records(fault, column, places, tmp_path, no_training, small_papers):
    pattern = f"{places}/{fault.__name__}/video/*.tfrecord"
    what, words = TABLE[fault][column]
    with served(pattern) if column == "download" else contextlib.nullcontext() as server:
        more = [server] if server else []
        ended = run_command(*arguments(places, column, pattern, tmp_path), *more)
    logs = "".join(path.read_text() for path in tmp_path.glob("papers/**/*.log"))
    said = ended.out + ended.err + logs
    assert ended.code == {"refused": 2, "found": 1}.get(what, 0), said
    assert words in said
    assert (logs or ended.err).count("error: ") == (what == "refused")
    if what == "refused":  # Nothing is left that looks like a result.
        results = ("c", "s", "metrics.json", "result.json")
        assert not [p for p in tmp_path.rglob("*") if p.name in results]
        assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(
    "column", ["train", "validate", "predict", "fuse", "analyse", "inspect", "convert"]
)
def test_patterns(column, places, tmp_path, no_training):
    """A folder as the pattern is refused by every command, and a bracket in a name by none."""
    folder = f"{places}/good/video"
    if column != "convert":  # which looks for tables and arrays in a folder
        ended = run_command(*arguments(places, column, folder, tmp_path))
        assert ended.code == 2
        assert "is a folder; name the files inside" in ended.err
    for level in ("video", "frame"):
        bracketed = tmp_path / "records [1]" / level
        shutil.copytree(places / "good" / level, bracketed)
    pattern = f"{tmp_path}/records [1]/video/*.tfrecord"
    ended = run_command(*arguments(places, column, pattern, tmp_path))
    assert ended.code == 0, ended.err


def test_records_whose_vocabulary_nobody_named(places, tmp_path, no_training):
    pattern = f"{places}/two_vocabularies/video/*.tfrecord"
    for command in (
        ["train", f"--train_data_pattern={pattern}", f"--train_dir={tmp_path}/r"],
        ["analyse", f"--data_pattern={pattern}", "--nofigures", f"--out_dir={tmp_path}/a"],
    ):
        ended = run_command(*command)
        assert ended.code == 2
        assert "Name the records of one release" in ended.err


def test_one_shard_of_many_has_another_key(places, tmp_path, no_training):
    maker = Maker(tmp_path)
    for s in range(12):
        key = "video_id" if s == 4 else "id"
        maker.shard(f"{s:02d}.tfrecord", [record(maker, "video", s, id_key=key)])
    ended = run_command("inspect", f"{tmp_path}/*.tfrecord")
    assert f"under id ({tmp_path}/00.tfrecord) and under video_id ({tmp_path}/04.tfre" in ended.out


@pytest.mark.parametrize("column", VALIDATE)
def test_a_refused_validation_deletes_no_earlier_run(column, places, tmp_path):
    shutil.copytree(places / "run video", tmp_path / "run")
    pattern = f"{places}/no_labels/video/*.tfrecord"
    command = arguments(places, column, pattern, tmp_path)
    assert run_command(*command, "--start_new_model").code == 2
    assert (tmp_path / "run" / "config.json").exists()
