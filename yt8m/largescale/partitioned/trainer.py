"""The trainer of `--trainer=partitioned`: groups of labels one at a time, in the memory of one.

Source: UTS' parallel MoE (docs/sources.md#parallel-mixture). The inputs of the model's head are
computed once and kept on disk. Each group of the head is trained on them separately, predicts the
validation videos, and is released. The groups are then joined into one weight file, which the other
scripts use like that of any run.

    run/features/train, validate   features of the records, until the end (or --cache=FOLDER)
    run/groups/                    the files of the groups, until the end (see `Groups`)
"""

from __future__ import annotations

import os
import time
from typing import Any

import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.evaluation.evaluate import evaluate, timed
from yt8m.files import write_json
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.store import FeatureStore, build_feature_store
from yt8m.largescale.mixtures.join_groups import join_groups
from yt8m.largescale.mixtures.moe_settings import MoeSettings
from yt8m.largescale.partitioned.groups import Groups
from yt8m.largescale.partitioned.refusals import check_earlier, check_settings
from yt8m.largescale.tasks.shared_folder import local_folder
from yt8m.largescale.tasks.shipped_model import fingerprint, weights_before_head
from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.build import dtype_policy, schema_like
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import BEST, RunFolder
from yt8m.runs.open import keep_settings, open_run
from yt8m.runs.progress import Progress
from yt8m.runs.stop_signal import Stopped, StopSignal
from yt8m.training.input_statistics import standardize_inputs
from yt8m.training.priors import starting_priors

# One file of each group is open while they are joined, and 1,024 open files is a usual limit.
MOST_GROUPS = 500


def train(
    config: RunConfig,
    train_dir: str,
    start_new_model: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Begin or resume the run in `train_dir`, as `yt8m.training.trainer.train` does.

    Raises:
      Stopped: a signal stopped the run. The same command resumes.
      UserError: the settings do not suit this trainer, the folder contains another run, or the loss
        stopped being finite.
    """
    check_settings(config, strategy)
    config, run, finished = open_run(config, train_dir, start_new_model)
    if finished:
        return
    if run.exists():
        check_earlier(config, run)
        if run.is_done():
            print(
                f"the run in {train_dir} is already done; --start_new_model trains it again.",
                flush=True,
            )
            return
    PartitionedTrainer(config, run).train()


class PartitionedTrainer:
    """One run in one process; `train()` does everything.

    Args:
      config: the run's settings.
      run: its folder.

    Raises:
      UserError: the settings do not match the model, or the model has too many groups.
    """

    def __init__(self, config: RunConfig, run: RunFolder):
        self.config, self.run = config, run
        training = config.training
        self.files = find_shards(training.train_data_pattern, "--train_data_pattern")
        self.features_folder = local_folder(training.cache or run.file("features"))
        self.model = self._model(config.schema.feature_sizes)  # too large to be built
        groups = self.model.head.groups
        if len(groups) > MOST_GROUPS:
            raise UserError(
                f"{len(groups):,} groups of labels are more than the {MOST_GROUPS} that can be"
                " joined in the end; raise --model_option=group_size (now"
                f" {self.model.get_config().get('group_size')})."
            )
        self.settings = MoeSettings(
            recipe=config.recipe,
            max_steps=training.max_steps,
            seed=training.seed,
            dtype=training.dtype,
            l2=self.model.l2 * training.regularization_penalty,
            initial=self.model.initial,
            checkpoint_seconds=60.0 * training.checkpoint_minutes,
            checkpoint_steps=training.export_model_steps,
        )
        self.settings.check()
        self.eval_batch = training.eval_batch_size or config.recipe.batch_size
        self.progress = Progress(run, True, training.progress_seconds)
        self.stop = StopSignal(config.session)
        self.groups = Groups(
            run,
            groups,
            self.settings,
            self.eval_batch,
            self.progress,
            training.progress_seconds,
            self.stop,
        )

    def _model(self, feature_sizes: Any) -> Yt8mModel:
        given = self.config.model
        arguments = {
            "num_classes": self.config.schema.num_classes,
            "feature_sizes": feature_sizes,
            **given.arguments,
        }
        try:
            with dtype_policy(self.config.training.dtype):
                return registry.create(given.name, **arguments)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"--model={given.name} cannot be created with {given.arguments}: {error}"
            ) from error

    def train(self) -> None:
        """Train every group that is not finished, join them into one model and validate it.

        Raises:
          Stopped: a signal stopped the run; the state of the group in training is saved.
        """
        began = time.monotonic()
        try:
            with self.stop:
                store, validation = self._prepare()
                self._train_groups(store, validation)
                self._finish(store, validation)
            self.progress.event("ended", seconds=round(time.monotonic() - began, 1))
        except Stopped as stopped:
            self.progress.say(f"stopped {stopped.why}; the same command resumes")
            self.progress.event("stopped", groups_done=self.groups.num_trained())
            raise
        finally:
            self.progress.close()

    def _prepare(self) -> tuple[FeatureStore, FeatureStore | None]:
        """Return the features of the training set, and of the validation set if there is one.

        The label priors and the settings are written before the features are computed.
        """
        training, run = self.config.training, self.run
        done, count = self.groups.num_trained(), len(self.groups)
        resumed = any(line["event"] == "started" for line in run.logged())
        self.progress.event("resumed" if resumed else "started", groups_done=done, groups=count)
        if run.exists() and done < count:
            self.progress.say(
                f"resumed with {done} of {count} groups trained; {self.groups.next()}"
            )
        flag, pattern = "--eval_data_pattern", training.eval_data_pattern
        eval_files = find_shards(pattern, flag) if pattern else []
        schema = schema_like(self.config, eval_files, flag)[0] if eval_files else None
        if not run.exists():
            run.remove_starting_values()  # those of an attempt that was refused
        say = self.progress.say
        self.priors = starting_priors(self.config, run, self.files, say)
        standardize_inputs(self.model, self.config, run, self.files, say)
        # Only now: an attempt that is refused must not prevent the next one.
        if not (run.exists() and run.load_config() == self.config):
            keep_settings(run, self.config)
        bad = BadRecords(training.max_bad_records)
        store = self._store("train", self.files, self.config.schema, bad)
        if bad.summary():
            self.progress.say(bad.summary())
        validation = None
        if schema is not None:
            validation = self._store("validate", eval_files, schema, BadRecords(0))
        self.stop.raise_if_set()
        return store, validation

    def _store(
        self, name: str, files: list[str], schema: RecordSchema, bad: BadRecords
    ) -> FeatureStore:
        model = self.model
        compute = tf.function(
            lambda batch: model.head_features(model.select_inputs(batch)), reduce_retracing=True
        )
        plan = FeaturePlan(
            os.path.join(self.features_folder, name),
            files,
            schema,
            dtype=self.config.training.dtype,
            about=f"{self.config.model.name}.head_features, input_norm={model.input_norm}"
            + self._statistics(),
        )
        return build_feature_store(
            plan,
            lambda batch: compute({k: batch[k] for k in model.input_keys}).numpy(),
            bad,
            self.stop,
            self.progress.say,
        )

    def _statistics(self) -> str:
        """Return what identifies the statistics by which the inputs are standardized, or ""."""
        standardized = self.model.input_norm == "standardize"
        return f", statistics {fingerprint(self.model)[:8]}" if standardized else ""

    def _train_groups(self, store: FeatureStore, validation: FeatureStore | None) -> None:
        self.settings.steps(store.num_examples)  # refuses a batch that is too large
        total, largest = self.groups.num_weights(store.width)
        self.progress.say(
            f"{len(self.groups)} groups, {total:,} weights; the largest group takes"
            f" {12 * largest / 1e9:.2f} GB of memory, each checkpoint as much disk space, and the"
            f" model {4 * total / 1e9:.2f} GB twice while its groups are joined"
        )
        tf.io.gfile.makedirs(self.run.file("groups"))
        for i in range(len(self.groups)):
            if i:
                self.stop.raise_if_set()
            self.groups.train(i, store, self.priors)
            if validation is not None:
                self.groups.score(i, validation)

    def _finish(self, store: FeatureStore, validation: FeatureStore | None) -> None:
        """Join the groups into one model, validate it, and delete what only the training needed."""
        about: dict[str, Any] = {
            "step": self.groups.steps(),
            "epoch": self.config.recipe.num_epochs,
        }
        place = BEST if validation is not None else "last"
        with dtype_policy(self.config.training.dtype):
            small = self._model([1]).build_weights()
        weights = self.run.file(place, "model.weights.h5")
        before = [tf_variable(v).numpy() for v in weights_before_head(self.model)]
        join_groups(small, self.groups.files, store.width, weights, before)
        if validation is not None:
            result = self._validate(validation)
            self.progress.validation({**result, **about}, True)
            about.update(result)
        write_json(self.run.file(place, "metrics.json"), about)
        self.run.set_done()
        self.progress.event("done", step=about["step"], best_gap=about.get("gap", -1.0))
        which = f"GAP {about['gap']:.4f}" if "gap" in about else "not validated"
        self.progress.say(
            f"done after {about['step']:,} steps of each of {len(self.groups)} groups, {which}; the"
            f" run is in {self.run.path}"
        )
        tf.io.gfile.rmtree(self.run.file("groups"))
        if not self.config.training.cache:
            tf.io.gfile.rmtree(self.features_folder)

    def _validate(self, validation: FeatureStore) -> dict[str, Any]:
        training, classes = self.config.training, self.config.schema.num_classes
        loss = losses.get(self.config.recipe.label_loss)
        batches = validation.sequential(self.eval_batch)
        labels = ({"labels": tf.constant(labels)} for _, labels in batches)
        pairs = zip(labels, self.groups.predictions(classes))
        return timed(lambda: evaluate(pairs, loss, classes, training.top_k))
