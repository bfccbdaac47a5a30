"""One evaluation of a trained model: a pass over the records, a table, and result files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m import files, locks
from yt8m.data.files.bad_records import BadRecords
from yt8m.errors import UserError
from yt8m.evaluation import report
from yt8m.evaluation.details import Details
from yt8m.evaluation.evaluate import Pairs, evaluate
from yt8m.evaluation.progress import with_progress
from yt8m.evaluation.segment_scores import SegmentScores
from yt8m.losses import registry as losses
from yt8m.metrics.mean_average_precision import MapClasses
from yt8m.runs.load import saved_step
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.disk_space import expected_examples


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
    vocabulary_file: str = "",
    map_classes: MapClasses = "positive",
) -> dict[str, Any]:
    """Evaluate a trained model on every example of `pattern`, and write and return the result.

    Args:
      trained: the model.
      pattern: comma-separated glob patterns of labelled records.
      out_dir: folder for metrics.json, per_class_ap.json and details.json.
      batch_size: examples per batch; 0 means the run's own.
      top_k: predictions per video that count for GAP and MAP.
      eval_frames: evenly spaced frames per video; 0 means all frames, None those of the run's
        validation.
      max_bad_records: corrupt records that may be skipped.
      say: prints a table of the metrics.
      num_readers: shards that are read in parallel.
      segment_max_pred: limit for rated segments; see `SegmentScores`.
      whitelist: classes for rated segments; see `SegmentScores`.
      vocabulary_file: names of the classes; "" looks for the run's own.
      map_classes: see `mean_average_precision`.

    Raises:
      UserError: the records do not match the model or have no labels, or `out_dir` cannot be
        written.
    """
    schema, segments = trained.config.schema, None
    if schema.segment_labels:
        segments = SegmentScores(whitelist, top_k, segment_max_pred)
    elif segment_max_pred or whitelist is not None:
        raise UserError(
            "--segment_max_pred and --segment_label_ids_file apply to the ranking of five-second"
            " segments; add --segment_labels, or drop them."
        )
    bad = BadRecords(max_bad_records)
    records = trained.opened(
        pattern, "--eval_data_pattern", batch_size, eval_frames, rated=True, say=say
    )
    names = trained.class_names(vocabulary_file, records.files)
    predictor = trained.predictor(records.batch_size)
    # How many of a video's segments are rated, its size does not say.
    expected = 0 if segments else expected_examples(records.files, records.schema)
    what = "segments" if segments else "videos"
    with locks.held(locks.inside(out_dir), f"--output_dir={out_dir}"):
        files.remove_unfinished_in(out_dir)
        start, details = time.monotonic(), Details(schema.num_classes)
        with bad.explained(schema.num_classes, of_run=True):
            loss = losses.get(trained.config.recipe.label_loss)
            pairs: Pairs = predictor.over(records.batches(bad, num_readers=num_readers))
            pairs = records.without_nan(pairs)
            pairs = with_progress(bad.unless_all_are_broken(pairs), expected, what, say)
            if segments:
                pairs = segments.watch(pairs)
            metrics = evaluate(pairs, loss, schema.num_classes, top_k, details, map_classes)
        seconds = time.monotonic() - start
        if not metrics.per_class_ap()[1].any():
            raise UserError(
                f"--eval_data_pattern={pattern} has no labels; name a labelled split, such as"
                " validate."
            )
        step = saved_step(trained.path)
        about = {
            "model": trained.config.model.name,
            "weights": trained.path,
            "data": pattern,
            "top_k": top_k,
            "map_classes": map_classes,
            "seconds": round(seconds, 2),
            **({} if step is None else {"step": step}),
            **(segments.result() if segments else {}),
        }
        try:
            result = report.write(out_dir, metrics, about, names, details.result())
        except (tf.errors.OpError, OSError) as error:
            raise UserError(
                f"cannot write to {out_dir} ({getattr(error, 'message', error)}); --output_dir"
                " names another folder."
            ) from None
    say(report.table(result, top_k, names))
    if bad.summary():
        say(bad.summary())
    rate = result["num_examples"] / max(seconds, 1e-9)
    others = f"{report.PER_CLASS_AP} and {report.DETAILS}"
    wrote = f"wrote {os.path.join(out_dir, report.METRICS)}, {others}"
    say(f"{rate:,.0f} examples per second; {wrote}")
    return result
