"""One task of a spread prediction: the scores of a range of whole shards, as a score folder."""

from __future__ import annotations

import dataclasses
import os
import shutil
import uuid
from typing import Any

from yt8m.data.files.bad_records import BadRecords
from yt8m.files import write_json
from yt8m.largescale.executors import Shared, progress, warm
from yt8m.largescale.tasks.shared_folder import not_shared
from yt8m.runs.evaluation_records import EvaluationRecords
from yt8m.runs.predictor import Predictor
from yt8m.runs.settings.training import Which
from yt8m.runs.trained_model import TrainedModel
from yt8m.stored import read_object
from yt8m.submission.journal.journal import Journal
from yt8m.submission.predict import predict_into
from yt8m.submission.score_files import ScoreFile, ScoreWriter

_BROKEN = "broken.json"


@dataclasses.dataclass(frozen=True)
class PredictionJob:
    """What every task of a spread prediction needs to know.

    Attributes:
      train_dir: folder of the run, as every node sees it.
      checkpoint: which of its weights.
      jit_compile: compile with XLA.
      segment_labels: read five-second segments.
      records: how the records are read.
      num_readers: shards that a task reads in parallel.
      max_bad_records: how many broken records a task may skip.
      folder: where the parts are kept until they are merged.
    """

    train_dir: str
    checkpoint: Which
    jit_compile: bool
    segment_labels: bool
    records: EvaluationRecords
    num_readers: int
    max_bad_records: int
    folder: str

    def path(self, number: int) -> str:
        """Return the score folder of a part, which exists only when it is whole."""
        return os.path.join(self.folder, f"{number:06d}")

    def predictor(self) -> tuple[TrainedModel, Predictor]:
        """Return the run's model, and what calls it."""
        trained = TrainedModel(
            self.train_dir, self.checkpoint, "auto", 0, self.jit_compile, self.segment_labels
        )
        return trained, trained.predictor(self.records.batch_size)


@dataclasses.dataclass(frozen=True)
class PartTask:
    """A range of shards, and its place in the order."""

    number: int
    shards: tuple[str, ...]


def predict_part(task: PartTask, shared: Shared) -> int:
    """Write the scores of a range of shards, and return the number of its videos or segments.

    The folder gets its name when it is whole. Of two workers with the same task, of whom one was
    taken for lost, the first gives it its name.

    Raises:
      UserError: this node does not see the folder, or a record is broken.
    """
    job: PredictionJob = shared["job"].value
    if not os.path.isdir(job.folder):
        raise not_shared(f"The folder {job.folder} is not there")
    trained, predictor = warm(shared["job"].key, job.predictor)
    own, bad = f"{job.path(task.number)}.{uuid.uuid4().hex}", BadRecords(job.max_bad_records)
    schema = trained.config.schema

    def write(_: Any) -> ScoreWriter:
        return ScoreWriter(own, schema.num_classes, meta={"segments": schema.segment_labels})

    journal = Journal("", {"": write}, dict)
    try:
        records = job.records.only(list(task.shards))
        count = predict_into(
            journal, records, predictor, bad, job.num_readers, say=lambda _: progress()
        )
    except BaseException:
        journal.end(whole=False)
        raise
    journal.end(whole=True)
    write_json(os.path.join(own, _BROKEN), bad.state())
    try:
        os.rename(own, job.path(task.number))
    except OSError:
        if not os.path.isdir(job.path(task.number)):
            raise
        shutil.rmtree(own)
    return count


def open_part(path: str) -> tuple[ScoreFile, dict[str, Any]]:
    """Return the scores of a part, and the state of its `BadRecords`."""
    broken = read_object(os.path.join(path, _BROKEN), "delete its folder, which is made again.")
    return ScoreFile(path, "--executor"), broken
