"""Which ids each output can hold: what it cannot is refused early, and the rest comes back."""

import numpy as np
import pytest

from tests.support.commands import refused, run_command
from tests.support.records import Maker, rgb_audio_means
from tests.support.runs import new_run
from tests.support.untrained import save_untrained
from yt8m.data.records.writers import video_record
from yt8m.errors import UserError
from yt8m.runs.classes.names import ClassNames
from yt8m.submission import ids_ahead
from yt8m.submission.journal.journal import Journal
from yt8m.submission.kaggle_segments import SegmentCsvWriter, read_segment_csv
from yt8m.submission.kaggle_videos import CsvWriter, read_csv
from yt8m.submission.named import NamedWriter
from yt8m.submission.score_files import ScoreFile, ScoreWriter

IDS = ["clip 5.mp4", "a,b", "a\nb", "a\rb", " a", "a\t", "a\u00a0b", "\u00e9", 'a"b']


def held_by_csv(path, ids):
    with CsvWriter(f"{path}/s.csv", 1) as out:
        out.write(ids, np.ones((len(ids), 2), np.float32))
    return [row.id for row in read_csv(f"{path}/s.csv")]


def held_by_segment_csv(path, ids):
    with SegmentCsvWriter(f"{path}/s.csv", top_k=1) as out:
        out.write([f"{video}:0" for video in ids], np.ones((len(ids), 1), np.float32))
    ((_, segments),) = read_segment_csv(f"{path}/s.csv")
    return [segment[:-2] for segment in segments]


def held_by_scores(path, ids):
    with ScoreWriter(f"{path}/scores", 2) as out:
        out.write(ids, np.ones((len(ids), 2), np.float32))
    return list(ScoreFile(f"{path}/scores").ids)


@pytest.mark.parametrize(
    ("held_by", "refuses"),
    [
        (held_by_csv, ["a,b", "a\nb", "a\rb", " a", "a\t"]),
        (held_by_segment_csv, ["clip 5.mp4", "a,b", "a\nb", "a\rb", " a", "a\t", "a\u00a0b"]),
        (held_by_scores, ["a\nb"]),
    ],
)
def test_an_id_comes_back_or_is_refused(held_by, refuses, tmp_path):
    held = [video for video in IDS if video not in refuses]
    assert held_by(tmp_path, held) == held
    for video in refuses:
        with pytest.raises(UserError, match=r"the video id .* contains .*; use --"):
            held_by(tmp_path, ["good", video, "better"])


def test_the_named_predictions_quote_any_id(tmp_path):
    with NamedWriter(f"{tmp_path}/n.csv", ClassNames(["x", "y"], True), 1) as out:
        out.write(IDS, np.ones((len(IDS), 2), np.float32))
    assert '"a,b",1,' in (tmp_path / "n.csv").read_text()


def records_with(maker, *ids):
    """Write a shard for each id, which is the last of its records."""
    for s, last in enumerate(ids):
        values = maker.video_values(s)
        features = {"mean_rgb": values[:6], "mean_audio": values[6:]}
        maker.shard(
            f"{s:02d}.tfrecord",
            [
                *(rgb_audio_means(i, maker.video_values(i), [1]) for i in range(9 * s, 9 * s + 9)),
                video_record(last.encode(), features, [1]),
            ],
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return save_untrained(new_run("x", "LogisticModel", schema=Maker.video), folder)


def command(run, folder, *outputs):
    flags = [f"--train_dir={run}", f"--input_data_pattern={folder}/*.tfrecord", "--batch_size=4"]
    return ["predict", *flags, *outputs]


def test_a_blank_is_no_obstacle(run, tmp_path):
    records_with(Maker(tmp_path), "clip 5.mp4")
    csv, scores = f"--output_file={tmp_path}/s.csv", f"--output_scores={tmp_path}/scores"
    done = run_command(*command(run, tmp_path, csv, scores))
    assert done.code == 0, done.err
    assert [row.id for row in read_csv(f"{tmp_path}/s.csv")][-1] == "clip 5.mp4"
    assert ScoreFile(f"{tmp_path}/scores").ids[-1] == "clip 5.mp4"
    done = run_command("fuse", f"--inputs={tmp_path}/scores,{tmp_path}/s.csv",
                       f"--output_file={tmp_path}/f.csv", "--num_classes=10")  # fmt: skip
    assert done.code == 0, done.err
    assert [row.id for row in read_csv(f"{tmp_path}/f.csv")][-1] == "clip 5.mp4"


def test_a_comma_is_refused_before_the_first_batch(run, tmp_path):
    records_with(Maker(tmp_path), "good", "a,b")
    csv, scores = f"--output_file={tmp_path}/s.csv", f"--output_scores={tmp_path}/scores"
    message = refused(*command(run, tmp_path, csv, scores))
    assert "the video id 'a,b' contains a comma" in message
    assert "use --output_scores instead of --output_file" in message
    assert not list(tmp_path.glob("s*"))
    assert run_command(*command(run, tmp_path, scores)).code == 0
    assert len(ScoreFile(f"{tmp_path}/scores").ids) == 20
    assert run_command(*command(run, tmp_path, f"{scores}2")).code == 0
    both = f"--inputs={tmp_path}/scores,{tmp_path}/scores2"
    fused = refused("fuse", both, f"--output_file={tmp_path}/f.csv")
    assert "the video id 'a,b' contains a comma" in fused


def test_what_was_done_before_a_comma_is_kept(run, tmp_path, monkeypatch):
    """Where there are many records, not all ids are known before."""
    monkeypatch.setattr(ids_ahead, "_SMALL", 0)
    records_with(Maker(tmp_path), "good", "a,b")
    notes = []
    monkeypatch.setattr(Journal, "_due", property(lambda _: 1e30, lambda *_: None), raising=False)
    end = Journal.end
    monkeypatch.setattr(
        Journal, "end", lambda self, whole: notes.append(self.done.examples) or end(self, whole)
    )
    csv, scores = f"--output_file={tmp_path}/s.csv", f"--output_scores={tmp_path}/scores"
    ended = run_command(*command(run, tmp_path, csv, scores))
    assert ended.code == 2
    assert notes == [16]
    assert "the first 16 are kept; the same command goes on after them" in ended.out
    assert len((tmp_path / "s.csv.partial").read_text().splitlines()) == 1 + 16
