"""What a run's folder knows about the run: settings, log, best model and evaluation."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.evaluation.per_class_ap import PerClassAp, read_per_class_ap
from yt8m.evaluation.report import DETAILS, METRICS, PER_CLASS_AP
from yt8m.files import read_json
from yt8m.largescale.curves import Curve, read_curve
from yt8m.publish.described import command_line
from yt8m.runs.classes.names import class_names
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import BEST, LAST, STEP_1, RunFolder


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What eval.py wrote.

    Attributes:
      metrics: the metrics, and what was evaluated.
      ap: AP and positives of the K classes, or None.
      details: calibration, mistakes and confusions, or None of an older evaluation.
    """

    metrics: dict[str, Any]
    ap: PerClassAp | None
    details: dict[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Learning:
    """What a run logged while it trained, each step once.

    Attributes:
      train: the lines of the training, by step.
      validation: the validations, by step.
      seconds: seconds in which it trained, in all its sessions that ended normally.
    """

    train: Sequence[dict[str, Any]]
    validation: Sequence[dict[str, Any]]
    seconds: float = 0.0

    def best(self) -> dict[str, Any] | None:
        """Return the validation with the highest GAP, or None."""
        found = [v for v in self.validation if "gap" in v]
        return max(found, key=lambda v: v["gap"]) if found else None


@dataclasses.dataclass(frozen=True)
class ReportedRun:
    """A run as its folder describes it.

    Attributes:
      path: the folder, as it was named.
      title: a short name, different from those of the runs beside it.
      config: its settings.
      command: the command that began it, or None.
      learning: what it logged; of the alternating trainer, its joint training.
      validated: the metrics of its best model, or of its last if nothing was validated.
      evaluation: its last evaluation, or None.
      alternation: the iterations of the alternating trainer, or None.
      names: names of the K classes.
      vocabulary: the file that has them, or "".
    """

    path: str
    title: str
    config: RunConfig
    command: str | None
    learning: Learning
    validated: dict[str, Any]
    evaluation: Evaluation | None
    alternation: Curve | None
    names: Sequence[str]
    vocabulary: str

    def seconds(self) -> float:
        """Return the seconds of training, or 0 if they are not known."""
        return self.alternation.points[-1].seconds if self.alternation else self.learning.seconds


def read_run(
    path: str, title: str, vocabulary_file: str = "", evaluation_folder: str = ""
) -> ReportedRun:
    """Return what a run's folder contains.

    Args:
      path: the folder, or a model on a hub.
      title: a short name.
      vocabulary_file: names of the classes; "" looks for them.
      evaluation_folder: where eval.py wrote to; "" is the run's own place.

    Raises:
      UserError: there is no run, or a file in it is not what it should be.
    """
    run = RunFolder(path)
    config = run.load_config("--runs")
    folder = evaluation_folder or (run.path if run.publication() else run.file("eval"))
    names, vocabulary = _names(run, config, vocabulary_file)
    logged = run if config.alternation is None else RunFolder(run.file(STEP_1))
    validated = read_object(run.file(BEST, METRICS)) or read_object(run.file(LAST, METRICS)) or {}
    return ReportedRun(
        path,
        title,
        config,
        command_line(config),
        learning(logged.logged()),
        validated,
        _evaluation(folder),
        _alternation(path, config),
        names,
        vocabulary,
    )


def learning(events: Iterable[dict[str, Any]]) -> Learning:
    """Return the training and the validations that a log contains.

    A session that begins at a step repeats what an earlier one, which was killed, did after it;
    only the last time counts.
    """
    kept: dict[str, dict[int, dict[str, Any]]] = {"train": {}, "validation": {}}
    seconds = 0.0
    for event in events:
        name, step = event.get("event"), event.get("step")
        if name in ("started", "resumed") and step is not None:
            kept = {k: {s: e for s, e in by.items() if s <= step} for k, by in kept.items()}
        elif name in kept and step is not None:
            kept[name][step] = event
        elif name == "ended":
            seconds += float(event.get("seconds", 0.0))
    ordered = {k: [by[s] for s in sorted(by)] for k, by in kept.items()}
    return Learning(ordered["train"], ordered["validation"], seconds)


def titles(paths: Sequence[str]) -> list[str]:
    """Return the shortest ends of paths that are all different."""
    parts = [path.rstrip("/").split("/") for path in paths]
    for length in range(1, max(map(len, parts), default=1) + 1):
        found = ["/".join(p[-length:]) for p in parts]
        if len(set(found)) == len(found):
            return found
    return list(paths)


def _names(run: RunFolder, config: RunConfig, given: str) -> tuple[list[str], str]:
    """Return what each class is called on the page, and the vocabulary that says so, or ""."""
    patterns = [p for p in config.training.eval_data_pattern.split(",") if p]
    found = class_names(run, config, given, patterns)
    return [name if name != str(i) else f"class {i}" for i, name in enumerate(found)], found.file


def _evaluation(folder: str) -> Evaluation | None:
    metrics = read_object(os.path.join(folder, METRICS))
    if metrics is None or "gap" not in metrics:
        return None
    per_class = os.path.join(folder, PER_CLASS_AP)
    ap = read_per_class_ap(per_class) if tf.io.gfile.exists(per_class) else None
    return Evaluation(metrics, ap, read_object(os.path.join(folder, DETAILS)))


def _alternation(path: str, config: RunConfig) -> Curve | None:
    if config.alternation is None:
        return None
    try:
        return read_curve(path)
    except UserError:  # It has logged no iteration yet.
        return None


def read_object(path: str) -> dict[str, Any] | None:
    """Return the contents of a JSON file, or None if there is none.

    Raises:
      UserError: the file is damaged.
    """
    if not tf.io.gfile.exists(path):
        return None
    try:
        content = read_json(path)
        if not isinstance(content, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise UserError(
            f"{path} is not the JSON object that this program writes, though it is a file"
            f" ({error}); run the command that writes it again, or name another."
        ) from None
    return content
