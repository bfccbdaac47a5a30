"""One pass of a trained model over a data set, whose scores go to one or more writers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Callable

import numpy as np

from yt8m.data.files.bad_records import BadRecords
from yt8m.runs.progress import duration
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.background import Background
from yt8m.submission.ids import IdWatch, decode_ids
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
    bad = BadRecords(max_bad_records)
    batches, predictor = trained.records(
        pattern, "--input_data_pattern", batch_size, eval_frames, bad, say,
        with_labels=False, num_readers=num_readers,
    )  # fmt: skip
    schema = trained.config.schema
    what = "segments" if schema.segment_labels else "videos"
    destinations, id_watch, count = list(writers), IdWatch(), 0
    start = reported = time.monotonic()

    def write(raw_ids: np.ndarray, scores: np.ndarray) -> None:
        ids = decode_ids(raw_ids)
        id_watch.add(ids)
        for writer in destinations:
            writer.write(ids, scores)

    # The device computes a batch while the one before it is ranked, formatted and written.
    with bad.explained(schema.num_classes), Background() as background:
        for batch, scores in predictor.over(batches):
            background(write, batch["id"].numpy(), scores)
            count += len(scores)
            now = time.monotonic()
            if now - reported > _SECONDS_BETWEEN_REPORTS:
                reported = now
                say(f"{count:,} {what}, {count / (now - start):,.0f} per second")
    for line in filter(None, [bad.summary(), *id_watch.warnings()]):
        say(line)
    seconds = time.monotonic() - start
    rate = count / max(seconds, 1e-9)
    say(f"predicted {count:,} {what} in {duration(seconds)}, {rate:,.0f} per second")
    return count
