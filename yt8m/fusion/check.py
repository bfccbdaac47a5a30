"""Checks for fusion settings that contradict one another or are incomplete."""

from __future__ import annotations

import os
from collections.abc import Sequence

from yt8m.errors import UserError
from yt8m.fusion.settings import FusionSettings
from yt8m.fusion.weights import AP_METHODS, METHODS
from yt8m.output_paths import check_apart, check_replaceable, named_files
from yt8m.submission.named import named_path
from yt8m.submission.outputs import refuse_without_csv
from yt8m.submission.scores.settings import refuse_without_scores
from yt8m.submission.settings import refuse_names

_LARGEST_WEIGHT = 1e30


def check(settings: FusionSettings) -> None:
    """Refuse settings that cannot be carried out, before any file is opened.

    Raises:
      UserError: the message names the flag.
    """
    _check_files(settings)
    _check_method(settings)
    if settings.method in AP_METHODS:
        _check_ap(settings)
    elif settings.ap_files:
        raise UserError(
            f"--ap_files applies only to --method={'|'.join(AP_METHODS)}, not to {settings.method};"
            " drop one of the two."
        )
    elif settings.fit_on_half:
        raise UserError(f"--fit_on_half: --method={settings.method} fits nothing; drop the flag.")


def _check_files(settings: FusionSettings) -> None:
    inputs = settings.inputs
    if len(inputs) < 2:
        raise UserError(
            f"--inputs names {len(inputs)}{_no_list(inputs)}; a fusion needs at least 2 inputs,"
            " separated by commas."
        )
    if len({os.path.realpath(path) if "://" not in path else path for path in inputs}) < len(
        inputs
    ):
        raise UserError(f"--inputs names one input twice: {', '.join(inputs)}.")
    if not any(
        (settings.output_file, settings.output_scores, settings.labels, settings.output_details)
    ):
        raise UserError(
            "nothing to do: give --output_file (CSV), --output_scores (a folder), --labels"
            " (metrics) or --output_details (JSON)."
        )
    if settings.output_metrics and not settings.labels:
        raise UserError("--output_metrics needs --labels, without which there are no metrics.")
    if not settings.output_file:
        refuse_without_csv(settings.segment_max_pred, settings.segment_label_ids_file)
    if not settings.output_scores:
        refuse_without_scores(settings)
    refuse_names(settings, settings.output_file)
    names = ("output_file", "output_scores", "output_metrics", "output_details")
    outputs = {f"--{name}": getattr(settings, name) for name in names}
    if settings.with_names:
        outputs["--with_names"] = named_path(settings.output_file, settings.names_format)
    read = {"--inputs": inputs, "--ap_files": settings.ap_files}
    for name in ("labels", "vocabulary_file", "segment_label_ids_file"):
        read[f"--{name}"] = named_files(getattr(settings, name))
    check_apart(outputs, read)
    for flag in ("--output_metrics", "--output_details"):
        check_replaceable(outputs[flag], flag, "a fusion's JSON file", ('{\n "',))


def _check_method(settings: FusionSettings) -> None:
    method, weights, count = settings.method, settings.weights, len(settings.inputs)
    if method not in METHODS:
        raise UserError(f"--method={method!r} is not one of {', '.join(METHODS)}.")
    if method != "weighted":
        if weights:
            raise UserError(
                f"--weights applies only to --method=weighted, not to --method={method}; drop one"
                " of the two."
            )
        return
    if len(weights) != count:
        raise UserError(
            f"--weights has {len(weights)} numbers for {count} inputs; give one for each input."
        )
    if not all(0 <= weight <= _LARGEST_WEIGHT for weight in weights) or not sum(weights):
        raise UserError(
            f"--weights={','.join(f'{w:g}' for w in weights)}: expected numbers from 0 to"
            f" {_LARGEST_WEIGHT:g}, at least one of them above 0."
        )


def _check_ap(settings: FusionSettings) -> None:
    files, count = settings.ap_files, len(settings.inputs)
    if files and len(files) != count:
        raise UserError(
            f"--ap_files has {len(files)} files for {count} inputs; give one for each input."
        )
    if files and settings.fit_on_half:
        raise UserError(
            "--fit_on_half takes the APs from --labels, but --ap_files are given; drop one of the"
            " two."
        )
    if not files and not settings.labels:
        raise UserError(
            f"--method={settings.method} weights models by their per-class AP: give --ap_files"
            " (eval.py writes them), or --labels to compute them from these scores."
        )


def _no_list(inputs: Sequence[str]) -> str:
    """Return that a list of files is not read here, if that is what an input looks like."""
    return " (lists, @FILE, are not read here)" if any(i.startswith("@") for i in inputs) else ""
