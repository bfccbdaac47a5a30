"""A complete fusion, from its inputs to its output files and tables."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np

from yt8m.errors import UserError
from yt8m.evaluation.per_class_ap import read_per_class_ap
from yt8m.files import WholeFile
from yt8m.fusion.align import AlignedInputs
from yt8m.fusion.check import check
from yt8m.fusion.details import Likeness, details
from yt8m.fusion.inputs import common_num_classes, hold_segments, open_input
from yt8m.fusion.labels import load_labels
from yt8m.fusion.measure import ModelMetrics, aps_from_labels
from yt8m.fusion.names import names_of
from yt8m.fusion.settings import FusionSettings
from yt8m.fusion.summary import (
    best_input,
    classes_table,
    gains_table,
    loss_warning,
    weights_table,
)
from yt8m.fusion.weights import AP_METHODS, bounded, fusion_weights, weighted_sum
from yt8m.runs.classes.names import ClassNames
from yt8m.submission.ground_truth import GroundTruth
from yt8m.submission.ids import IdWatch
from yt8m.submission.named import NamedWriter, named_path
from yt8m.submission.outputs import csv_writer
from yt8m.submission.score_formats import scores_writer

Say = Callable[[str], None]

SAME_VIDEOS = (
    "warning: the weights and the metrics come from the same videos, so the gain is overestimated;"
    " --fit_on_half fits on one half and computes metrics on the other, and --ap_files takes the"
    " APs from other videos."
)


def run_fusion(settings: FusionSettings, say: Say = print) -> list[dict[str, Any]] | None:
    """Fuse the inputs, and write the fused scores and the metrics.

    Returns:
      The metrics of each input and, last, of the fusion; None without labels.

    Raises:
      UserError: the settings contradict one another, the inputs do not fit together, or a file
        cannot be read or written.
    """
    check(settings)
    inputs, segments, truth = _open(settings)
    names = names_of(settings, inputs)
    _describe(inputs, segments, say)
    with contextlib.ExitStack() as stack:
        # An unwritable path is reported here, before any work.
        writers = [stack.enter_context(w) for w in _writers(settings, inputs, names, segments, say)]
        for writer in writers:
            writer.check_ids(inputs.ids)
        truth = _complete_truth(settings, inputs, truth)
        held_out = _held_out(settings, len(inputs.ids))
        chosen = _choose_weights(settings, inputs, truth, held_out, say)
        say("\n" + weights_table(inputs.names, chosen))
        weights = bounded(chosen)
        metrics = None
        if truth:
            models = len(inputs.inputs) + 1
            metrics = ModelMetrics(truth, models, inputs.num_classes, settings.top_k, held_out)
        likeness = Likeness(len(inputs.inputs)) if settings.output_details else None
        for chunk in inputs.chunks():
            fused = weighted_sum(chunk.parts, weights)  # [n, K]
            for writer in writers:
                writer.write(chunk.ids, fused)
            if metrics:
                metrics.update(chunk, [*chunk.parts, fused])
            if likeness:
                likeness.update(chunk.parts)
    if likeness:
        about = details(inputs, settings.method, chosen, likeness)
        if metrics:
            half = held_out is not None
            same = settings.method in AP_METHODS and (
                _are_of_the_same_videos(settings, metrics) if settings.ap_files else not half
            )
            about.update(metrics=metrics.results(), on_half=half, fitted_on_the_same=same)
        with WholeFile(settings.output_details, "--output_details") as out:
            out.write(json.dumps(about, indent=1) + "\n")
    if metrics is None:
        return None
    results = metrics.results()
    which = "all videos" if held_out is None else "the other half"
    videos = f"{which} ({results[0]['num_examples']:,})"
    say("\n" + gains_table(inputs.names, results, videos))
    for line in _findings(settings, inputs, metrics, names):
        say(line)
    if settings.output_metrics:
        with WholeFile(settings.output_metrics, "--output_metrics") as out:
            named = dict(zip([*inputs.names, "fused"], results))
            out.write(json.dumps(named, indent=1) + "\n")
    return results


def _open(settings: FusionSettings) -> tuple[AlignedInputs, bool, GroundTruth | None]:
    """Return the inputs, whether they contain segments, and the labels if K depends on them."""
    opened, truth = [open_input(path) for path in settings.inputs], None
    segments = hold_segments(opened)
    if segments and settings.labels:
        raise UserError(
            f"--labels={settings.labels!r} applies to whole videos, but the inputs contain"
            " five-second segments; drop it. eval.py --segment_labels writes the APs for"
            " --ap_files."
        )
    if settings.labels and not settings.num_classes and all(i.num_classes is None for i in opened):
        # A class that no line of a CSV lists may still be a true label.
        truth = load_labels(settings.labels)
    true_classes = truth.num_classes if truth else 0
    num_classes = common_num_classes(opened, settings.num_classes, true_classes)
    return AlignedInputs(opened, num_classes, settings.chunk_size), segments, truth


def _describe(inputs: AlignedInputs, segments: bool, say: Say) -> None:
    what = "segments" if segments else "videos"
    count = len(inputs.inputs)
    say(f"fusing {count} inputs, {len(inputs.ids):,} {what}, {inputs.num_classes} classes")
    watch = IdWatch()
    watch.add(inputs.ids)
    for line in watch.warnings():
        say(line)


def _writers(
    settings: FusionSettings, inputs: AlignedInputs, names: ClassNames, segments: bool, say: Say
) -> Iterator[Any]:
    """Yield the writer of each output."""
    if settings.output_file:
        ranked = (settings.segment_max_pred, settings.segment_label_ids_file)
        yield csv_writer(settings.output_file, segments, settings.top_k, *ranked, say=say)
    if settings.with_names:
        path = named_path(settings.output_file, settings.names_format)
        yield NamedWriter(path, names, settings.top_k, settings.names_format)
    if settings.output_scores:
        meta = {"fused_from": inputs.names, "method": settings.method, "segments": segments}
        if names.are_known:
            meta["class_names"] = list(names)
        yield scores_writer(settings.output_scores, inputs.num_classes, settings, meta)


def _findings(
    settings: FusionSettings, inputs: AlignedInputs, metrics: ModelMetrics, names: ClassNames
) -> Iterator[str]:
    """Yield what the metrics of the inputs and, last, of the fusion tell people."""
    results, aps = metrics.results(), metrics.per_class_ap()
    best, positives = best_input(results), metrics.positives()
    classes = classes_table(names, aps[best], aps[-1], positives, inputs.names[best])
    if classes:
        yield "\n" + classes
    if _are_of_the_same_videos(settings, metrics):
        yield SAME_VIDEOS
    warning = loss_warning(inputs.names, results, settings.fit_on_half)
    if warning:
        yield warning


def _are_of_the_same_videos(settings: FusionSettings, metrics: ModelMetrics) -> bool:
    """Return whether the files of --ap_files seem to be of the videos that are measured."""
    files = [read_per_class_ap(path) for path in settings.ap_files]
    same = [np.array_equal(one.positives, metrics.positives()) for one in files]
    return bool(files) and all(same)


def _complete_truth(
    settings: FusionSettings, inputs: AlignedInputs, truth: GroundTruth | None
) -> GroundTruth | None:
    """Return the labels, which must cover every video; load them unless `truth` is given."""
    if not settings.labels:
        return None
    truth = truth or load_labels(settings.labels, inputs.num_classes)
    missing = [video for video in inputs.ids if video not in truth]
    if missing:
        raise UserError(
            f"--labels={settings.labels!r} has {len(truth)} videos, but is missing {len(missing)}"
            f" of the {len(inputs.ids)} in the inputs, first {', '.join(missing[:3])}."
        )
    return truth


def _held_out(settings: FusionSettings, count: int) -> np.ndarray | None:
    """Return bool [N], the random half on which metrics are computed; None means all videos."""
    if not settings.fit_on_half:
        return None
    if count < 2:
        raise UserError("--fit_on_half needs at least 2 videos.")
    held_out = np.zeros(count, bool)
    held_out[np.random.default_rng(settings.seed).permutation(count)[: count // 2]] = True
    return held_out


def _choose_weights(
    settings: FusionSettings,
    inputs: AlignedInputs,
    truth: GroundTruth | None,
    held_out: np.ndarray | None,
    say: Say,
) -> np.ndarray:
    """Return the weights [M, K] that the chosen method gives."""
    ap = None
    if settings.method in AP_METHODS and settings.ap_files:
        ap = np.stack([_read_ap(path, inputs.num_classes) for path in settings.ap_files])
    elif settings.method in AP_METHODS and truth:
        fit_on = None if held_out is None else ~held_out
        ap = aps_from_labels(inputs, truth, settings.top_k, fit_on)
        if held_out is None:
            say(SAME_VIDEOS)
    covered = np.stack([one.covered(inputs.num_classes) for one in inputs.inputs])
    return fusion_weights(settings.method, covered, ap, settings.weights or None, settings.power)


def _read_ap(path: str, num_classes: int) -> np.ndarray:
    ap = read_per_class_ap(path).ap
    if len(ap) != num_classes:
        raise UserError(
            f"--ap_files: {path!r} has APs of {len(ap)} classes, but the inputs have {num_classes}."
        )
    return ap
