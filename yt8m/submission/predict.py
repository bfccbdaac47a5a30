"""Predict every video of a data set, or every segment, once, and hand the scores to whoever writes them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Callable

from yt8m.data.files.bad_records import BadRecords
from yt8m.runs.progress import duration
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.ids import IdWatch, decode_ids


def predict(
    trained: TrainedModel,
    pattern: str,
    writers: Iterable[Any],
    batch_size: int = 0,
    eval_frames: int | None = None,
    max_bad_records: int = 0,
    num_readers: int = 8,
    say: Callable[[str], None] = print,
) -> int:
    """Give every video's scores to each writer, in the records' order; return how many videos there were.

    Where the model reads segments, these are all consecutive windows of each video, rated or not, with ids `<video>:<start>`.

    Args:
      trained: the model.
      pattern: globs of records, with or without labels.
      writers: each has `write(ids, scores [B, K])`.
      batch_size: 0 is the run's.
      eval_frames: evenly spaced frames of each video; 0 is all, None what the run validated with.
      max_bad_records: broken records that may be skipped.
      num_readers: shards read side by side.
      say: prints; also a warning where ids are empty or repeat.

    Raises:
      UserError: records are broken, or an id that an output cannot carry.
    """
    bad = BadRecords(max_bad_records)
    dataset, predictor = trained.records(
        pattern,
        "--input_data_pattern",
        batch_size,
        eval_frames,
        bad,
        say,
        with_labels=False,
        num_readers=num_readers,
    )
    outputs, start, count, told = list(writers), time.monotonic(), 0, time.monotonic()
    what = "segments" if trained.config.schema.segment_labels else "videos"
    watch = IdWatch()
    with bad.explained(trained.config.schema.num_classes):
        for part, scores in predictor.over(dataset):
            ids: list[str] = decode_ids(part["id"].numpy())
            watch.add(ids)
            for writer in outputs:
                writer.write(ids, scores)
            count += len(ids)
            if time.monotonic() - told > 10:
                told = time.monotonic()
                say(f"{count:,} {what}, {count / (told - start):,.0f} a second")
    if bad.summary():
        say(bad.summary())
    for line in watch.warnings():
        say(line)
    seconds = time.monotonic() - start
    say(f"{count:,} {what} in {duration(seconds)}, {count / max(seconds, 1e-9):,.0f} a second")
    return count
