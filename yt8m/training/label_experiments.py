"""What a run does to its labels beside learning them: balanced batches, class weights, labels removed or added."""

from __future__ import annotations

from typing import Callable

import tensorflow as tf

from yt8m.data.balanced import BalancedRecords
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.label_noise import AlignedScores, LabelNoise, changes
from yt8m.data.record_index import RecordIndex, build_index, load_index, save_index
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.config import RunConfig, TrainingConfig
from yt8m.runs.folder import LABEL_INDEX, RunFolder
from yt8m.submission.score_files import ScoreFile


def check(config: RunConfig) -> None:
    """Refuse experiments that the run's records, model or trainer do not allow, and two that contradict one another.

    Raises:
      UserError: which, and what to drop.
    """
    t = config.training
    given = [
        flag
        for flag, on in (
            ("--balanced_batches", t.balanced_batches),
            ("--label_weight_power", t.label_weight_power > 0),
            ("--label_noise", bool(t.label_noise)),
        )
        if on
    ]
    if t.label_noise_scores and not t.label_noise:
        raise UserError(
            "--label_noise_scores is given without --label_noise; say --label_noise=remove or --label_noise=complete."
        )
    if t.label_noise_fraction != TrainingConfig.label_noise_fraction and not t.label_noise:
        raise UserError(
            "--label_noise_fraction is given without --label_noise; say --label_noise=remove or --label_noise=complete."
        )
    if not given:
        return
    if t.trainer != "joint":
        raise UserError(
            f"{', '.join(given)}: only for --trainer=joint, and this run's trainer is {t.trainer}; drop one of them."
        )
    model = registry.model_class(config.model.name)
    if model.task != "classification":
        raise UserError(
            f"{', '.join(given)}: --model={config.model.name} learns no labels; drop the flag."
        )
    of_records = [flag for flag in given if flag != "--label_weight_power"]
    if config.schema.segment_labels and of_records:
        raise UserError(
            f"{', '.join(of_records)}: for labels of whole videos, not with --segment_labels; drop one of them."
        )
    if t.balanced_batches and t.label_noise:
        raise UserError(
            "--balanced_batches draws by the labels that the records have, which --label_noise changes; give one of the two."
        )


class LabelExperiments:
    """The experiments of one run.

    Args:
      config: the run's settings.
      run: its folder; keeps the index of the records, so that a resumed run has it at once.
      files: the training shards.
      bad_records: counts the broken.
      cache: of records, or None.
      chief: whether this process writes to the folder.
      say: prints.

    Raises:
      UserError: see `check`.
    """

    def __init__(
        self,
        config: RunConfig,
        run: RunFolder,
        files: list[str],
        bad_records: BadRecords,
        cache: RecordCache | None,
        chief: bool,
        say: Callable[[str], None],
    ):
        check(config)
        self.config, self.run, self.files, self.bad, self.cache = (
            config,
            run,
            files,
            bad_records,
            cache,
        )
        self.chief, self.say = chief, say
        self._index: RecordIndex | None = None
        self._balanced: BalancedRecords | None = None
        self._noise: LabelNoise | None = None

    def index(self) -> RecordIndex:
        """Return the index of the training records: the run's, or made now."""
        if self._index is None:
            path, classes = self.run.file(LABEL_INDEX), self.config.schema.num_classes
            self._index = load_index(path, self.files, classes)
            if self._index is None:
                self.say("reading all training records once for their labels and places")
                self._index = build_index(self.files, self.config.schema.level, classes, self.bad)
                if self.chief:
                    save_index(self._index, path)
            if not len(self._index.labels.values):
                raise UserError(
                    "--train_data_pattern: no record has a label; name the train or validate files."
                )
        return self._index

    def balanced(self) -> BalancedRecords | None:
        """Return what draws balanced batches, or None where the run does not want them."""
        if self.config.training.balanced_batches and self._balanced is None:
            self._balanced = BalancedRecords(self.index(), self.files, self.bad, self.cache)
            self.say(
                f"balanced batches over {len(self._balanced.classes):,} classes with positives"
            )
        return self._balanced

    def noisy(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches with labels removed or added, or as they are."""
        if self.config.training.label_noise and self._noise is None:
            self._noise = self._make_noise()
        return batches if self._noise is None else self._noise.apply(batches)

    def _make_noise(self) -> LabelNoise:
        t, index = self.config.training, self.index()
        if len(set(index.ids.tolist())) != index.num_records:
            raise UserError(
                "--label_noise finds videos by their ids, and those of --train_data_pattern are not all different; name each record once."
            )
        scores = None
        if t.label_noise_scores:
            source = ScoreFile(t.label_noise_scores, "--label_noise_scores")
            scores = AlignedScores(
                index, source.ids, source.scores, covered=source.meta.get("covered_classes")
            )
        records, classes = changes(index, t.label_noise, t.label_noise_fraction, t.seed, scores)
        how = "by the scores" if scores is not None else "at random"
        did = "removed" if t.label_noise == "remove" else "added"
        self.say(
            f"label noise: {len(records):,} labels {did} {how}; the records have {len(index.labels.values):,}"
        )
        return LabelNoise(t.label_noise, index.ids[records], classes)
