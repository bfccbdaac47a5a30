"""One pass of a trained model over a data set, whose scores go to one or more writers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Callable

import numpy as np

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import Done
from yt8m.errors import UserError
from yt8m.runs.evaluation_records import EvaluationRecords
from yt8m.runs.predictor import Predictor
from yt8m.runs.progress import duration
from yt8m.runs.stop_signal import StopSignal
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.background import Background
from yt8m.submission.ids import as_texts
from yt8m.submission.ids_ahead import ids_ahead
from yt8m.submission.journal.journal import Journal
from yt8m.submission.writer import PredictionWriter

_SECONDS_BETWEEN_REPORTS = 10.0


def predict(
    trained: TrainedModel,
    pattern: str,
    writers: Iterable[PredictionWriter],
    batch_size: int = 0,
    eval_frames: int | None = None,
    max_bad_records: int = 0,
    num_readers: int = 8,
    say: Callable[[str], None] = print,
) -> int:
    """Write the scores of every video, in the order of the records; return the number of videos.

    If the model reads segments, each video is cut into consecutive windows, rated or not, whose ids
    are `<video>:<start>`.

    Args:
      trained: the model.
      pattern: comma-separated glob patterns of records, with or without labels.
      writers: each receives every batch of ids and scores.
      batch_size: examples per batch; 0 means the run's own.
      eval_frames: evenly spaced frames per video; 0 means all frames, None what the run validated
        with.
      max_bad_records: corrupt records that may be skipped.
      num_readers: shards that are read in parallel.
      say: prints progress, and warns if ids are empty or repeat.

    Raises:
      UserError: too many records are corrupt, or a writer cannot write an id.
    """
    makers = {str(i): lambda _, w=writer: w for i, writer in enumerate(writers)}
    records = trained.opened(
        pattern, "--input_data_pattern", batch_size, eval_frames, rated=False, say=say
    )
    predictor, bad = trained.predictor(records.batch_size), BadRecords(max_bad_records)
    journal = Journal("", makers, dict)
    journal.check_ids(ids_ahead(records.files))
    return predict_into(journal, records, predictor, bad, num_readers, say)


def predict_into(
    journal: Journal,
    records: EvaluationRecords,
    predictor: Predictor,
    bad: BadRecords,
    num_readers: int = 8,
    say: Callable[[str], None] = print,
    stop: StopSignal | None = None,
) -> int:
    """Write the scores of every video that is not yet done to the outputs of a journal.

    Args:
      journal: the outputs, and how far they are.
      records: what to predict.
      predictor: the model.
      bad: counts the corrupt records that are skipped.
      num_readers: shards that are read in parallel.
      say: prints.
      stop: ends the pass after a batch, whose end is noted.

    Returns:
      The number of videos, those of a killed process included.

    Raises:
      Stopped: a signal was received; the same command goes on.
      UserError: see `predict`.
    """
    journal.restore(bad)
    before = done = journal.done
    batches = records.batches(
        bad, with_labels=False, num_readers=num_readers, done=done, counts=journal.counts
    )
    schema = records.schema
    what = "segments" if schema.segment_labels else "videos"
    written = done
    start = reported = time.monotonic()

    def write(batch: dict[str, Any], scores: np.ndarray, after: Done) -> None:
        nonlocal written
        ids = as_texts(batch["id"].numpy())
        try:
            records.refuse_nan(batch["id"].numpy(), scores)
            journal.check_ids(ids)
        except UserError:
            journal.note(written, bad)  # What is done is kept.
            raise
        journal.ids.add(ids)
        for writer in journal.writers:
            writer.write(ids, scores)
        written = after
        journal.note_if_due(written, bad)

    # The device computes a batch while the one before it is ranked, formatted and written.
    with bad.explained(schema.num_classes), Background() as background:
        for batch, scores in predictor.over(batches):
            done = done.after(batch)
            background(write, batch, scores, done)
            now = time.monotonic()
            if now - reported > _SECONDS_BETWEEN_REPORTS:
                reported = now
                rate = (done.examples - before.examples) / (now - start)
                say(f"{done.examples:,} {what}, {rate:,.0f} per second")
            if stop is not None and stop():
                break
        else:
            stop = None  # the end was reached first
    if stop is not None:
        if written.examples:
            journal.note(written, bad)
        stop.raise_if_set()
    for line in filter(None, [bad.summary(), *journal.ids.warnings()]):
        say(line)
    seconds, count = time.monotonic() - start, done.examples - before.examples
    rate = count / max(seconds, 1e-9)
    again = f", after {before.examples:,} of before," if before.examples else ""
    say(f"predicted {count:,} {what}{again} in {duration(seconds)}, {rate:,.0f} per second")
    return done.examples
