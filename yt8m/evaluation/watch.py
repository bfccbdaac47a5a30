"""Evaluate a run once, or each of its models as they appear until the run ends."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.errors import UserError
from yt8m.evaluation import report
from yt8m.evaluation.evaluate import evaluate
from yt8m.evaluation.segment_scores import SegmentScores
from yt8m.losses import registry as losses
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import weights_file
from yt8m.runs.trained_model import TrainedModel


def evaluate_run(
    trained: TrainedModel,
    pattern: str,
    out_dir: str,
    batch_size: int = 0,
    top_k: int = 20,
    eval_frames: int | None = None,
    max_bad_records: int = 0,
    say: Callable[[str], None] = print,
    num_readers: int = 8,
    segment_max_pred: int = 0,
    whitelist: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Evaluate a trained model once over every example of `pattern`; print a table, write the files, return the result.

    Args:
      trained: the model.
      pattern: globs of labelled records.
      out_dir: gets metrics.json and per_class_ap.json.
      batch_size: 0 is the run's.
      top_k: labels a video that enter GAP and MAP.
      eval_frames: evenly spaced frames of each video; 0 is all, None what the run validated with.
      max_bad_records: broken records that may be skipped.
      say: prints.
      num_readers: shards read side by side.
      segment_max_pred, whitelist: of rated segments alone, see `SegmentScores`.

    Raises:
      UserError: the records do not fit, or hold no label; `out_dir` cannot be written.
    """
    config = trained.config
    segments = (
        SegmentScores(whitelist, top_k, segment_max_pred) if config.schema.segment_labels else None
    )
    if segments is None and (segment_max_pred or whitelist is not None):
        raise UserError(
            "--segment_max_pred and --segment_label_ids_file rank five-second segments; add --segment_labels, or drop them."
        )
    bad = BadRecords(max_bad_records)
    dataset, predictor = trained.records(
        pattern, "--eval_data_pattern", batch_size, eval_frames, bad, say, num_readers=num_readers
    )
    classes = config.schema.num_classes
    start = time.monotonic()
    with bad.explained(classes):
        loss = losses.get(config.recipe.label_loss)
        metrics = evaluate(
            predictor, dataset, loss, classes, top_k, segments.update if segments else None
        )
    seconds = time.monotonic() - start
    if not metrics.per_class_ap()[1].any():
        raise UserError(
            f"--eval_data_pattern={pattern} holds no labels; name a labelled split, such as validate."
        )
    about = {
        "model": config.model.name,
        "weights": trained.path,
        "data": pattern,
        "top_k": top_k,
        "seconds": round(seconds, 2),
    }
    about.update(segments.result() if segments else {})
    try:
        result = report.write(out_dir, metrics, about)
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"{out_dir} cannot be written ({getattr(error, 'message', error)}); --output_dir names another folder."
        )
    say(report.table(result, top_k))
    if bad.summary():
        say(bad.summary())
    say(
        f"{result['num_examples'] / max(seconds, 1e-9):,.0f} examples/s; wrote {out_dir}/metrics.json and {report.PER_CLASS_AP}"
    )
    return result


def watch(train_dir: str, evaluate_once: Callable[[], Any], poll_seconds: float = 10.0) -> None:
    """Call `evaluate_once` whenever the run in `train_dir` has saved a new model, and return when the run has ended.

    Whether a run was killed shows in nothing but silence: stop this by hand.

    Raises:
      UserError: there is no such folder.
    """
    run, seen = RunFolder(train_dir), None
    if not tf.io.gfile.isdir(train_dir):
        run.load_config()  # says so
    if not run.exists() or not _stamp(run):
        print(f"waiting for the first model of the run in {train_dir}", flush=True)
    while True:
        ended = run.is_done()  # asked first, so that what was saved before the end is still seen
        stamp = _stamp(run)
        if stamp is not None and stamp != seen:
            seen = stamp
            evaluate_once()
        if ended:
            return
        time.sleep(poll_seconds)


def _stamp(run: RunFolder) -> str | None:
    """Return what changes with each model that a run saves, or None before the first."""
    try:
        # Written after the weights, and it names their step; a file's time is too coarse to tell two apart.
        about = os.path.join(os.path.dirname(weights_file(run)), "metrics.json")
        with tf.io.gfile.GFile(about) as f:
            return f.read()
    except (UserError, tf.errors.NotFoundError):
        return None
