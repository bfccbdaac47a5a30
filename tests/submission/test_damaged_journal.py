"""What a killed prediction has left, damaged in every way: it goes on, or says and begins again."""

import importlib.util
import shutil

import numpy as np

from tests.support.damages import each_damage, problem_with
from tests.support.predictions import content
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import Done
from yt8m.submission.journal import journal
from yt8m.submission.kaggle_segments import SegmentCsvWriter
from yt8m.submission.kaggle_videos import CsvWriter
from yt8m.submission.score_formats import scores_writer
from yt8m.submission.scores.settings import ScoresSettings

K, N = 12, 40
SCORES = np.random.default_rng(0).random((N, K)).astype(np.float32)
PARQUET = ScoresSettings(scores_format="parquet")
IDS = [f"v{i}:0" for i in range(N)]


class Killed(BaseException):
    """The end of the process."""


def predict(out, dies=False):
    """Write all rows, from where the journal says, or half of them; return what is said."""
    said = []
    makers = {
        "--output_file": lambda at: CsvWriter(str(out / "s.csv"), at=at),
        "--segments": lambda at: SegmentCsvWriter(str(out / "g.csv"), at=at),
        "--output_scores": lambda at: scores_writer(str(out / "s"), K, ScoresSettings(), at=at),
    }
    if importlib.util.find_spec("pyarrow"):
        makers["--parquet"] = lambda at: scores_writer(str(out / "q"), K, PARQUET, at=at)
    try:
        with journal.opened(str(out / "s.csv.progress"), makers, dict, say=said.append) as notes:
            notes.restore(BadRecords())
            for start in range(notes.done.examples, N, 10):
                rows = slice(start, start + 10)
                notes.ids.add(IDS[rows])
                for writer in notes.writers:
                    writer.write(IDS[rows], SCORES[rows])
                if dies and start == N // 2:
                    raise Killed
                notes.note(Done(start + 10), BadRecords())
    except Killed:
        pass
    return said


def outputs(out):
    return {name: at for name, at in content(out).items() if not name.endswith(".lock")}


# Their bytes have no checksum: what is long enough is taken for what was written.
BYTES = ("s.csv.partial", "s.partial/scores.npy", "s.partial/ids.txt", "s.csv.progress/ids.bin",
         "q.partial/part-00000.parquet")  # fmt: skip
FILES = (
    *BYTES, "s.csv.progress/progress.json", "s.csv.progress/counts.json", "g.csv.partial",
    "g.csv.partial.2.npz", "s.partial/owner.txt",
)  # fmt: skip


def test_a_damaged_file_of_a_prediction_is_named_or_begun_again(tmp_path):
    whole, killed, out = (tmp_path / name for name in ("whole", "killed", "out"))
    for folder, dies in ((whole, False), (killed, True)):
        folder.mkdir()
        predict(folder, dies)
    shutil.copytree(killed, out)
    assert not predict(out)
    assert outputs(out) == outputs(whole)
    there = [name for name in FILES if (killed / name).exists()]
    assert set(FILES) - set(there) <= {"q.partial/part-00000.parquet"}
    problems = []
    for name in there:
        shutil.rmtree(out)
        shutil.copytree(killed, out)

        def read(name=name):
            said = predict(out)
            again = any(line.startswith("starting from the beginning") for line in said)
            if again or name not in BYTES:
                assert outputs(out) == outputs(whole)

        for damage in each_damage(out / name, tmp_path / "kept"):
            problems.append(problem_with(name, damage, read))
            shutil.rmtree(out)
            shutil.copytree(killed, out)
    assert not "\n".join(filter(None, problems))
