"""What a run changes in its training batches: which labels, which targets, which videos."""

from __future__ import annotations

import dataclasses
from typing import Callable, Literal

import numpy as np
import tensorflow as tf

from yt8m.data.augment.batches import Augmentation
from yt8m.data.balanced import BalancedRecords
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.label_noise import AlignedScores, LabelNoise, changes
from yt8m.data.record_index import RecordIndex, build_index, load_index, save_index
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import LABEL_INDEX, RunFolder
from yt8m.runs.settings.training import TrainingConfig
from yt8m.submission.score_files import ScoreFile
from yt8m.training.targets import check as targets
from yt8m.training.targets.teacher import Teacher, check_knows, open_teacher


def check(config: RunConfig) -> None:
    """Refuse experiments that the run's records, model or trainer do not allow.

    Raises:
      UserError: the message names the flags and what to drop.
    """
    targets.check(config)
    t = config.training
    _check_noise_is_on(t)
    flags = {"--balanced_batches": t.balanced_batches, "--label_noise": bool(t.label_noise)}
    on_records = [flag for flag, on in flags.items() if on]
    given = on_records + (["--label_weight_power"] if t.label_weight_power > 0 else [])
    model = registry.model_class(config.model.name)
    if given and t.trainer != "joint":
        raise UserError(
            f"{', '.join(given)} works only with --trainer=joint, but this run's trainer is"
            f" {t.trainer}; drop one of the two."
        )
    if given and model.task != "classification":
        raise UserError(
            f"{', '.join(given)}: --model={config.model.name} does not learn labels; drop the flag."
        )
    if on_records and config.schema.segment_labels:
        raise UserError(
            f"{', '.join(on_records)} works on labels of whole videos and not with"
            " --segment_labels; drop one of the two."
        )
    if t.balanced_batches and t.label_noise:
        raise UserError(
            "--balanced_batches draws by the labels in the records, which --label_noise changes;"
            " use only one of the two."
        )


def _check_noise_is_on(t: TrainingConfig) -> None:
    if t.label_noise:
        return
    needless = {
        "--label_noise_scores": bool(t.label_noise_scores),
        "--label_noise_fraction": t.label_noise_fraction != TrainingConfig.label_noise_fraction,
    }
    for flag, given in needless.items():
        if given:
            raise UserError(
                f"{flag} is given without --label_noise; add --label_noise=remove or"
                " --label_noise=complete."
            )


@dataclasses.dataclass(frozen=True)
class LabelExperiments:
    """The experiments that change the training batches.

    Attributes:
      balanced: draws balanced batches, or None.
      noise: removes or adds labels, or None.
      teacher: adds the scores of a teacher, or None.
      augmentation: changes videos and targets.
    """

    balanced: BalancedRecords | None = None
    noise: LabelNoise | None = None
    teacher: Teacher | None = None
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)

    def applied(
        self, batches: tf.data.Dataset, seed: int, epoch: int, worker: int, first: int
    ) -> tf.data.Dataset:
        """Return the batches of a pass as the model is to learn them; see `Augmentation.apply`."""
        if self.noise is not None:
            batches = self.noise.apply(batches)
        if self.teacher is not None:
            batches = self.teacher.apply(batches)
        return self.augmentation.apply(batches, seed, epoch, worker, first)

    def finding(self) -> str:
        """Return a line about the pass that has ended, or ""."""
        return self.teacher.finding() if self.teacher is not None else ""


def prepare_experiments(
    config: RunConfig,
    run: RunFolder,
    files: list[str],
    bad: BadRecords,
    cache: RecordCache | None,
    chief: bool,
    say: Callable[[str], None],
    priors: Callable[[], np.ndarray],
) -> LabelExperiments:
    """Return a run's experiments.

    Those on labels read all training records once, unless the run did so before.

    Args:
      config: the run's settings, which have passed `check`.
      run: the run's folder, which keeps the index of the records.
      files: the training shards.
      bad: counts the broken records.
      cache: copies of the records, or None.
      chief: whether this process writes to the folder.
      say: prints.
      priors: returns the label frequencies [K].

    Raises:
      UserError: the records have no labels, or their ids or scores do not fit the experiment.
    """
    t = config.training
    teacher = open_teacher(config)
    if teacher is not None:
        check_knows(teacher, config, files)
    smoothed = priors() if t.label_smoothing else None
    augmentation = Augmentation(t.drop_frames, config.recipe.mixup, t.label_smoothing, smoothed)
    experiments = LabelExperiments(teacher=teacher, augmentation=augmentation)
    if not t.balanced_batches and not t.label_noise:
        return experiments
    index = _index(config, run, files, bad, chief, say)
    if t.label_noise:
        return dataclasses.replace(experiments, noise=_make_noise(t, t.label_noise, index, say))
    balanced = BalancedRecords(index, files, bad, cache)
    say(f"balanced batches over {len(balanced.classes):,} classes with positives")
    return dataclasses.replace(experiments, balanced=balanced)


def _index(
    config: RunConfig,
    run: RunFolder,
    files: list[str],
    bad: BadRecords,
    chief: bool,
    say: Callable[[str], None],
) -> RecordIndex:
    path, classes = run.file(LABEL_INDEX), config.schema.num_classes
    index = load_index(path, files, classes)
    if index is None:
        say("reading all training records once to find their labels and positions")
        index = build_index(files, config.schema.level, classes, bad)
        if chief:
            save_index(index, path)
    if not len(index.labels.values):
        raise UserError(
            "--train_data_pattern: no record has a label; name the train or validate files."
        )
    return index


def _make_noise(
    t: TrainingConfig,
    kind: Literal["remove", "complete"],
    index: RecordIndex,
    say: Callable[[str], None],
) -> LabelNoise:
    if len(set(index.ids.tolist())) != index.num_records:
        raise UserError(
            "--label_noise finds videos by their ids, but the ids in --train_data_pattern are not"
            " all different; name each record file once."
        )
    scores = None
    if t.label_noise_scores:
        source = ScoreFile(t.label_noise_scores, "--label_noise_scores")
        covered = source.meta.get("covered_classes")
        scores = AlignedScores(index, source.ids, source.scores, covered=covered)
    records, classes = changes(index, kind, t.label_noise_fraction, t.seed, scores)
    how = "at random" if scores is None else "by the scores"
    changed = "removed" if kind == "remove" else "added"
    say(
        f"label noise: {len(records):,} labels {changed} {how}; the records have"
        f" {len(index.labels.values):,}"
    )
    return LabelNoise(kind, index.ids[records], classes)
