"""A fusion from its inputs to its files and tables, in one story."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from yt8m.errors import UserError
from yt8m.fusion.fuse import AlignedInputs, aps_from_labels, bounded, weighted_sum
from yt8m.fusion.inputs import all_of_segments, common_num_classes, open_source
from yt8m.fusion.labels import load_labels
from yt8m.fusion.summary import gains_table, weights_table
from yt8m.fusion.weights import AP_METHODS, METHODS, fusion_weights
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.metrics.per_class_ap import read_per_class_ap
from yt8m.submission.ground_truth import GroundTruth
from yt8m.submission.ids import IdWatch
from yt8m.submission.outputs import csv_writer, refuse_without_csv
from yt8m.submission.score_files import ScoreWriter


@dataclasses.dataclass
class FusionSettings:
    """What fusion.py was asked for; fields are its flags."""

    inputs: Sequence[str]
    output_file: str = ""
    output_scores: str = ""
    scores_dtype: str = "float32"
    method: str = "average"
    weights: Sequence[float] = ()
    ap_files: Sequence[str] = ()
    power: float = 2.0
    labels: str = ""
    fit_on_half: bool = False
    seed: int = 0
    top_k: int = 20
    num_classes: int = 0
    chunk_size: int = 1024
    output_metrics: str = ""
    segment_max_pred: int = 0
    segment_label_ids_file: str = ""


def run_fusion(settings: FusionSettings, say: Callable[[str], None] = print) -> list[dict] | None:
    """Fuse; return the metrics of each input and, last, of the fusion, where labels were given.

    Raises:
      UserError: see each step.
    """
    _check(settings)
    sources = [open_source(path) for path in settings.inputs]
    segments, truth = all_of_segments(sources), None
    if segments and settings.labels:
        raise UserError(
            f"--labels={settings.labels!r} is about whole videos, but the inputs hold five-second segments; drop it. eval.py"
            " --segment_labels writes the APs for --ap_files."
        )
    if settings.labels and not settings.num_classes and all(s.num_classes is None for s in sources):
        truth = load_labels(
            settings.labels
        )  # a class that is in no line of a CSV may still be true of a video
    num_classes = common_num_classes(
        sources, settings.num_classes, truth.num_classes if truth else 0
    )
    inputs = AlignedInputs(sources, num_classes, settings.chunk_size)
    names = [s.name for s in sources]
    what = "segments" if segments else "videos"
    say(f"fusing {len(sources)} inputs, {len(inputs.ids):,} {what}, {num_classes} classes")
    watch = IdWatch()
    watch.add(inputs.ids)
    for line in watch.warnings():
        say(line)
    with (
        contextlib.ExitStack() as stack
    ):  # outputs first: an unwritable place is told before any work
        writers: list[Any] = []
        if settings.output_file:
            ranked = (settings.segment_max_pred, settings.segment_label_ids_file)
            writers.append(
                stack.enter_context(
                    csv_writer(settings.output_file, segments, settings.top_k, *ranked, say=say)
                )
            )
        if settings.output_scores:
            meta = {"fused_from": names, "method": settings.method, "segments": segments}
            scores = ScoreWriter(settings.output_scores, num_classes, settings.scores_dtype, meta)
            writers.append(stack.enter_context(scores))
        truth = _truth(settings, inputs, truth)
        held_out = _held_out(settings, len(inputs.ids))
        weights = _weights(settings, inputs, truth, held_out, say)
        say("\n" + weights_table(names, weights))
        scaled = bounded(weights)
        metrics = (
            [EvaluationMetrics(num_classes, settings.top_k) for _ in range(len(sources) + 1)]
            if truth
            else []
        )
        for chunk in inputs.chunks():
            fused = weighted_sum(chunk.parts, scaled)  # [n, K]
            for writer in writers:
                writer.write(chunk.ids, fused)
            if truth is not None:
                kept = slice(None) if held_out is None else held_out[chunk.rows]
                labels = truth.multi_hot(np.asarray(chunk.ids, object)[kept], num_classes)
                for metric, scores in zip(metrics, [*chunk.parts, fused]):
                    metric.update(scores[kept], labels)
    results = [metric.result() for metric in metrics]
    if results:
        which = "the other half" if held_out is not None else "all videos"
        say("\n" + gains_table(names, results, f"{which} ({results[0]['num_examples']:,})"))
        if settings.output_metrics:
            from yt8m.files import WholeFile

            with WholeFile(settings.output_metrics, "--output_metrics") as out:
                out.write(json.dumps(dict(zip([*names, "fused"], results)), indent=1) + "\n")
    return results or None


def _check(settings: FusionSettings) -> None:
    count = len(settings.inputs)
    if count < 2:
        raise UserError(f"--inputs names {count}; a fusion needs at least 2, separated by commas.")
    if len(set(settings.inputs)) < count:
        raise UserError(f"--inputs names one input twice: {', '.join(settings.inputs)}.")
    if not settings.output_file and not settings.output_scores and not settings.labels:
        raise UserError(
            "nothing to do: give --output_file (CSV), --output_scores (a folder) or --labels (metrics)."
        )
    if not settings.output_file:
        refuse_without_csv(settings.segment_max_pred, settings.segment_label_ids_file)
    if settings.output_scores.rstrip("/") in [i.rstrip("/") for i in settings.inputs]:
        raise UserError(
            f"--output_scores={settings.output_scores!r} is also an input; name another place."
        )
    if settings.output_file in settings.inputs:
        raise UserError(
            f"--output_file={settings.output_file!r} is also an input; name another place."
        )
    if settings.method not in METHODS:
        raise UserError(f"--method={settings.method!r} is not one of {', '.join(METHODS)}.")
    if settings.method == "weighted":
        if len(settings.weights) != count:
            raise UserError(
                f"--weights has {len(settings.weights)} numbers for {count} inputs; give one for each."
            )
        if min(settings.weights) < 0 or sum(settings.weights) <= 0:
            raise UserError(
                f"--weights={list(settings.weights)}: weights are not negative, and not all 0."
            )
    elif settings.weights:
        raise UserError(
            f"--weights is of --method=weighted, not of --method={settings.method}; drop one of the two."
        )
    if settings.method in AP_METHODS:
        if settings.ap_files and len(settings.ap_files) != count:
            raise UserError(
                f"--ap_files has {len(settings.ap_files)} files for {count} inputs; give one for each."
            )
        if not settings.ap_files and not settings.labels:
            raise UserError(
                f"--method={settings.method} weighs by per-class AP: give --ap_files (eval.py writes them),"
                " or --labels to compute them from these scores."
            )
        if settings.ap_files and settings.fit_on_half:
            raise UserError(
                "--fit_on_half fits on --labels, but --ap_files are given; drop one of the two."
            )
    elif settings.ap_files:
        raise UserError(
            f"--ap_files is for --method={'|'.join(AP_METHODS)}, not {settings.method}; drop one of the two."
        )
    elif settings.fit_on_half:
        raise UserError(f"--fit_on_half: --method={settings.method} fits nothing; drop the flag.")


def _truth(
    settings: FusionSettings, inputs: AlignedInputs, truth: GroundTruth | None
) -> GroundTruth | None:
    """Return the labels, read now unless they are known, which every video must have."""
    if not settings.labels:
        return None
    truth = truth or load_labels(settings.labels, inputs.num_classes)
    lacking = [video for video in inputs.ids if video not in truth]
    if lacking:
        raise UserError(
            f"--labels={settings.labels!r} has {len(truth)} videos, and lacks {len(lacking)} of the inputs'"
            f" {len(inputs.ids)}, first {', '.join(lacking[:3])}."
        )
    return truth


def _held_out(settings: FusionSettings, count: int) -> np.ndarray | None:
    """Return bool [N], the half on which the metrics are taken, or None for all videos."""
    if not settings.fit_on_half:
        return None
    if count < 2:
        raise UserError("--fit_on_half needs at least 2 videos.")
    held_out = np.zeros(count, bool)
    held_out[np.random.default_rng(settings.seed).permutation(count)[: count // 2]] = True
    return held_out


def _weights(settings, inputs, truth, held_out, say) -> np.ndarray:  # type: ignore[no-untyped-def]
    ap = None
    if settings.method in AP_METHODS:
        if settings.ap_files:
            ap = np.stack([_read_ap(path, inputs.num_classes) for path in settings.ap_files])
        else:
            ap = aps_from_labels(
                inputs, truth, settings.top_k, None if held_out is None else ~held_out
            )
            if held_out is None:
                say(
                    "warning: the weights and the metrics below come from the same videos, so the gain is too good;"
                    " --fit_on_half fits on one half and measures on the other, --ap_files takes APs of other videos."
                )
    covered = np.stack([s.covered(inputs.num_classes) for s in inputs.sources])
    return fusion_weights(settings.method, covered, ap, settings.weights or None, settings.power)


def _read_ap(path: str, num_classes: int) -> np.ndarray:
    ap = read_per_class_ap(path).ap
    if len(ap) != num_classes:
        raise UserError(
            f"--ap_files: {path!r} has APs of {len(ap)} classes, but the inputs have {num_classes}."
        )
    return ap
