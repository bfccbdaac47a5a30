"""What a run is: its metrics, its facts, the command that began it, and all its settings."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Iterator
from typing import Any

from yt8m.report.markup import Markup, join, tag
from yt8m.report.read import ReportedRun
from yt8m.report.tables import Column, facts, folded, table
from yt8m.runs.progress import duration

METRICS = (
    ("gap", "GAP"), ("map", "MAP"), ("perr", "PERR"), ("hit_at_1", "Hit@1"),
    ("hit_at_5", "Hit@5"), ("loss", "loss"),
)  # fmt: skip


def metrics_of(run: ReportedRun) -> tuple[dict[str, Any], str]:
    """Return the metrics of a run's evaluation, or else of its validation, and what they are."""
    if run.evaluation is None:
        step = f" (step {run.validated['step']:,})" if "step" in run.validated else ""
        return run.validated, f"by the run's own validation{step}"
    found = run.evaluation.metrics
    step = f" of step {found['step']:,}" if "step" in found else ""
    which = os.path.basename(os.path.dirname(found.get("weights", ""))) or "its"
    return found, f"by eval.py, for the {which} model{step} on {found.get('data', 'its records')}"


def tiles(run: ReportedRun) -> Markup:
    """Return the metrics in large digits."""
    metrics, about = metrics_of(run)
    top_k = metrics.get("top_k", run.config.training.top_k)
    boxes = []
    for key, name in METRICS:
        if metrics.get(key) is not None:
            title = f"{name}@{top_k}" if key in ("gap", "map") else name
            digits = ".4g" if key == "loss" else ".4f"
            boxes.append(tag("div", tag("dt", title), tag("dd", format(metrics[key], digits))))
    if not boxes:
        return tag("p", "Nothing has been measured yet.", class_="note")
    count = metrics.get("num_examples")
    over = f" {count:,} examples," if count else ""
    return join(
        tag("dl", *boxes, class_="tiles"), tag("p", f"Measured on{over} {about}.", class_="quiet")
    )


def summary(run: ReportedRun) -> Markup:
    """Return the facts of a run, its command, and its settings, folded."""
    return join(facts(_facts(run)), command(run.command), settings(run))


def command(line: str | None) -> Markup:
    """Return the command that began a run."""
    if line is None:
        return tag("p", "The run was begun from Python, or did not record its command.")
    return join(tag("p", "The command that began the run:"), tag("pre", tag("code", line)))


def settings(run: ReportedRun) -> Markup:
    """Return all settings of a run, folded."""
    columns = [Column("Setting"), Column("Value")]
    rows = sorted(flat(run).items())
    return folded("All settings", table("Settings of the run", columns, rows))


def flat(run: ReportedRun) -> dict[str, str]:
    """Return the settings of a run by their names in config.json, as text."""
    values = dataclasses.asdict(run.config)
    parts = ("schema", "model", "recipe", "training", "alternation")
    return dict(_flat({part: values[part] for part in parts if values[part] is not None}, ""))


def notices(run: ReportedRun) -> list[Markup]:
    """Return what is missing, each with the command that makes it."""
    if run.validated and "gap" not in run.validated:
        return []  # It reconstructs frames, and predicts no classes.
    evaluate = f"python eval.py --train_dir={shlex.quote(run.path)}"
    if run.evaluation is None:
        text = (
            "The run has not been evaluated, so there is nothing here about its classes and its"
            " predictions. This command evaluates it:"
        )
    elif run.evaluation.details is None:
        text = (
            "The evaluation is that of an earlier version of this program, which did not keep"
            " calibration, mistakes and confusions. This command evaluates the run again:"
        )
    else:
        return []
    return [tag("div", tag("p", text), tag("pre", tag("code", evaluate)), class_="note")]


def _facts(run: ReportedRun) -> Iterator[tuple[str, object]]:
    config, found = run.config, run.config.facts
    schema, recipe = config.schema, config.recipe
    yield "Model", config.model.name
    features = " + ".join(
        f"{name} ({size})" for name, size in zip(schema.feature_names, schema.feature_sizes)
    )
    yield "Records", f"{schema.level}-level, {features}"
    yield "Classes", f"{schema.num_classes:,}" + (", with names" if run.vocabulary else "")
    yield "Training data", _data(config.training.train_data_pattern, found.get("data"))
    yield "Examples", f"{found['records']:,}" if "records" in found else None
    yield "Validation data", _data(config.training.eval_data_pattern, found.get("eval_data"))
    yield "Epochs", recipe.num_epochs
    yield "Batch size", recipe.batch_size
    yield "Optimizer", f"{recipe.optimizer}, learning rate {recipe.base_learning_rate:g}"
    yield "Loss", recipe.label_loss
    yield "Computed in", config.training.dtype
    devices = found.get("devices")
    yield "Devices", _devices(devices) if isinstance(devices, dict) else devices
    yield "Trained for", duration(run.seconds()) if run.seconds() else None
    yield "Best model", _best(run.validated)
    versions = (("yt8m", "yt8m"), ("TensorFlow", "tensorflow"), ("Keras", "keras"))
    known = [f"{name} {found[key]}" for name, key in versions if key in found]
    yield "Versions", ", ".join(known) or None
    yield "Folder", run.path


def _data(pattern: str, found: dict[str, Any] | None) -> str | None:
    if not pattern:
        return None
    return f"{pattern}, {found['shards']:,} shards" if found and "shards" in found else pattern


def _devices(found: dict[str, Any]) -> str:
    name = found.get("name") or found.get("kind", "")
    return f"{found.get('count', 1)} × {name}"


def _best(validated: dict[str, Any]) -> str | None:
    if "gap" not in validated:
        return None
    where = f"step {validated.get('step', 0):,}, epoch {validated.get('epoch', 0)}"
    epochs = validated.get("mean_of_epochs")
    mean = f", the mean of epochs {epochs[0]} to {epochs[-1]}" if epochs else ""
    return f"{where}{mean}, validation GAP {validated['gap']:.4f}"


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else key)
    else:
        shown = ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
        yield prefix, shown
