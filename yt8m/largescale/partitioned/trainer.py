"""The trainer behind `--trainer=partitioned`: one group of labels after the other, in the memory of one.

Source: UTS' parallel MoE (spec C.2). What the model's head sees is computed once and kept on disk; each
group of the head is trained on it by itself (`moe_training`), predicts the validation videos, and is let
go; the groups then become one weight file, which the other scripts take like any run's.

    run/features/train, validate   features of the records, until the end; elsewhere by --cache=FOLDER
    run/groups/0000.blocks         weights of a finished group; the same command does not train it again
    run/groups/0000.blocks.checkpoint   state of the group in work
    run/groups/0000.scores         its predictions of the validation videos
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.evaluation.evaluate import Pairs, evaluate, timed
from yt8m.largescale.features.store import FeatureStore, build_feature_store
from yt8m.largescale.mixtures.blocks_file import read_arrays, read_header, write_arrays
from yt8m.largescale.mixtures.join_groups import assemble
from yt8m.largescale.mixtures.mixture_block import MixtureBlock
from yt8m.largescale.mixtures.partition_training import MoeSettings, Report, train_partition
from yt8m.largescale.tasks.shared_folder import local_folder
from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.build import schema_like
from yt8m.runs.config import CONFIG_FILE, RunConfig
from yt8m.runs.folder import BEST, RunFolder
from yt8m.runs.open import open_run
from yt8m.runs.progress import Progress, duration
from yt8m.runs.stop_signal import StopSignal
from yt8m.training.priors import starting_priors

_MOST_GROUPS = (
    500  # a file of each is open when they are joined, and 1,024 open files is a usual limit
)


def check(config: RunConfig, strategy: tf.distribute.Strategy | None = None) -> None:
    """Refuse what this trainer cannot do.

    Raises:
      UserError: names the flag.
    """
    t, name = config.training, config.model.name
    if not hasattr(registry.model_class(name), "head_features"):
        able = [
            m for m in registry.list_models() if hasattr(registry.model_class(m), "head_features")
        ]
        raise UserError(
            f"--trainer=partitioned is for models whose classes share no weights: {', '.join(able)}, not --model={name}."
        )
    refused = {
        "--patience": t.patience
        and "groups end at different times, so that there is no GAP to wait for; take --num_epochs",
        "--jit_compile": t.jit_compile and "a step is cut into blocks that are compiled already",
        "--init_from": t.init_from and "groups start from the label priors",
        "--segment_labels": config.schema.segment_labels
        and "rated segments have weights, which are not kept with features",
        "--cache=memory": t.cache == "memory" and "features are kept on disk; name a local folder",
        "--shuffle_buffer": t.shuffle_buffer
        and "features are shuffled in windows of 256 MB, not records",
        "--strategy": strategy is not None
        and strategy.num_replicas_in_sync > 1
        and "it computes on one device",
    }
    for flag, why in refused.items():
        if why:
            raise UserError(f"{flag} is not for --trainer=partitioned: {why}.")


def train(
    config: RunConfig,
    train_dir: str,
    start_new_model: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> int:
    """Begin or resume the run in `train_dir`, as `yt8m.training.trainer.train` does; return the exit code.

    Raises:
      UserError: the settings do not fit this trainer, the folder holds another run, the loss diverged.
    """
    check(config, strategy)
    config, run, finished = open_run(config, train_dir, start_new_model)
    if finished:
        return 0
    if run.exists():
        before = run.load_config()
        if (before.recipe.num_epochs, before.training.max_steps) != (
            config.recipe.num_epochs,
            config.training.max_steps,
        ):
            raise UserError(
                f"--train_dir={train_dir} was begun with num_epochs={before.recipe.num_epochs} and max_steps={before.training.max_steps}:"
                " groups of one model are trained equally long. Give those, or --start_new_model."
            )
        if run.is_done():  # its groups are gone: it would begin anew, and nothing that may change changes what was learnt
            if before.training.eval_data_pattern != config.training.eval_data_pattern:
                raise UserError(
                    f"--eval_data_pattern: the run in {train_dir} is done, and was not validated;"
                    f" eval.py --train_dir={train_dir} does it, or --start_new_model trains it again."
                )
            print(
                f"{train_dir} holds this run, and it is done; --start_new_model trains it again.",
                flush=True,
            )
            return 0
    return PartitionedTrainer(config, run).train()


class PartitionedTrainer:
    """One run in one process; `train()` does it all.

    Args:
      config: the run's settings.
      run: its folder.
    """

    def __init__(self, config: RunConfig, run: RunFolder):
        self.config, self.run = config, run
        t = config.training
        tf.keras.mixed_precision.set_global_policy(
            "mixed_bfloat16" if t.dtype == "bfloat16" else "float32"
        )
        self.files = find_shards(t.train_data_pattern, "--train_data_pattern")
        self.features_folder = local_folder(t.cache or run.file("features"))
        self.model = self._model(
            config.schema.feature_sizes
        )  # never built: it is too large for that
        self.groups = self.model.head.groups
        if len(self.groups) > _MOST_GROUPS:
            raise UserError(
                f"{len(self.groups):,} groups of labels are more than the {_MOST_GROUPS} that can be joined in the end;"
                f" raise --model_option=group_size (now {self.model.get_config().get('group_size')})."
            )
        self.settings = MoeSettings(
            recipe=config.recipe,
            max_steps=t.max_steps,
            seed=t.seed,
            dtype=t.dtype,
            l2=self.model.l2 * t.regularization_penalty,
            initial=self.model.initial,
            checkpoint_seconds=60.0 * t.checkpoint_minutes,
            checkpoint_steps=t.export_model_steps,
        )
        self.settings.check()
        self.progress = Progress(run, True, t.progress_seconds)
        self.stop = StopSignal()

    def _model(self, feature_sizes: Any) -> Yt8mModel:
        arguments = {
            "num_classes": self.config.schema.num_classes,
            "feature_sizes": feature_sizes,
            **self.config.model.arguments,
        }
        try:
            return registry.create(self.config.model.name, **arguments)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"--model={self.config.model.name} cannot be made with {self.config.model.arguments}: {error}"
            )

    def train(self) -> int:
        """Train every group that is not trained yet, make one model of them, and validate it; return the exit code."""
        began = time.monotonic()
        try:
            with self.stop:
                whole = self._all_groups()
                if whole is None:
                    self.progress.say("stopped by a signal; the same command resumes")
                    self.progress.event(
                        "stopped", groups_done=sum(map(self._is_trained, range(len(self.groups))))
                    )
                    return 128 + (self.stop.number or 0)
                self._end(*whole)
            self.progress.event("ended", seconds=round(time.monotonic() - began, 1))
        finally:
            self.progress.close()
        return 0

    def _all_groups(self) -> tuple[FeatureStore, FeatureStore | None] | None:
        """Return the stores when all groups are trained, or None when a signal came before."""
        t, done = self.config.training, sum(map(self._is_trained, range(len(self.groups))))
        resumed = any(line["event"] == "started" for line in self.run.logged())
        self.progress.event(
            "resumed" if resumed else "started", groups_done=done, groups=len(self.groups)
        )
        if done:
            self.progress.say(f"resumed with {done} of {len(self.groups)} groups trained")
        files = (
            find_shards(t.eval_data_pattern, "--eval_data_pattern") if t.eval_data_pattern else []
        )
        schema = schema_like(self.config, files, "--eval_data_pattern")[0] if files else None
        if not self.run.exists():
            self.run.remove_priors()  # of an attempt that came to nothing, perhaps on other data
        priors = starting_priors(self.config, self.run, self.files, self.progress.say)
        self._keep_config()
        bad = BadRecords(t.max_bad_records)
        store = self._store("train", self.files, self.config.schema, bad)
        if bad.summary():
            self.progress.say(bad.summary())
        validation = None
        if schema is not None and store is not None:
            validation = self._store("validate", files, schema, BadRecords(0))
        if self.stop() or store is None:
            return None
        self.settings.steps(store.num_examples)  # refuses too large a batch
        self._say_what_it_takes(store)
        tf.io.gfile.makedirs(self.run.file("groups"))
        for i in range(len(self.groups)):
            if not self._train_group(i, store, priors):
                return None
            if validation is not None and not self._is_scored(i):
                self._score_group(i, validation)
            if self.stop() and i + 1 < len(self.groups):
                return None
        return store, validation

    def _keep_config(self) -> None:
        """Put the settings down, once nothing of them was refused: a mistake must not stand in the way of the next attempt."""
        if not (self.run.exists() and self.run.load_config() == self.config):
            self.run.write_text(CONFIG_FILE, self.config.to_json())

    def _store(
        self, name: str, files: list[str], schema: RecordSchema, bad: BadRecords
    ) -> FeatureStore | None:
        compute = tf.function(
            lambda batch: self.model.head_features(self.model.select_inputs(batch)),
            reduce_retracing=True,
        )
        return build_feature_store(
            os.path.join(self.features_folder, name),
            files,
            schema,
            lambda batch: compute({k: batch[k] for k in self.model.input_keys}).numpy(),
            dtype="bfloat16" if self.config.training.dtype == "bfloat16" else "float32",
            about=f"{self.config.model.name}.head_features, input_norm={self.model.input_norm}",
            bad=bad,
            stop=self.stop,
            say=self.progress.say,
        )

    def _say_what_it_takes(self, store: FeatureStore) -> None:
        weights = (
            max(len(g["classes"]) * (2 * g["num_mixtures"] + 1) for g in self.groups) * store.width
        )
        total = (
            sum(len(g["classes"]) * (2 * g["num_mixtures"] + 1) for g in self.groups) * store.width
        )
        self.progress.say(
            f"{len(self.groups)} groups, {total:,} weights; the largest group takes {12 * weights / 1e9:.2f} GB of memory,"
            f" each checkpoint as much of disk, and the model {4 * total / 1e9:.2f} GB twice while it is put together"
        )

    def _file(self, i: int, kind: str = "blocks") -> str:
        return self.run.file("groups", f"{i:04d}.{kind}")

    def _is_trained(self, i: int) -> bool:
        return tf.io.gfile.exists(self._file(i))

    def _is_scored(self, i: int) -> bool:
        header = read_header(
            self._file(i, "scores")
        )  # a resumed run may have another --eval_batch_size
        return header is not None and header["batch"] == self._eval_batch()

    def _train_group(self, i: int, store: FeatureStore, priors: np.ndarray) -> bool:
        """Train a group, unless it is; return False when a signal came before its end."""
        if self._is_trained(i):
            return True
        group, number = self.groups[i], f"group {i + 1}/{len(self.groups)}"

        def report(r: Report) -> None:
            left = (
                (r.total_steps - r.step)
                * self.config.recipe.batch_size
                / max(r.examples_per_second, 1e-9)
            )
            self.progress.say(
                f"{number}  step {r.step:,}/{r.total_steps:,}  loss {r.loss:.4g}  lr {r.learning_rate:.2g}"
                f"  {r.examples_per_second:,.0f} examples/s  ETA of the group {duration(left)}"
            )
            values = {
                "loss": r.loss,
                "learning_rate": r.learning_rate,
                "examples_per_second": r.examples_per_second,
            }
            self.progress.event("train", group=i, step=r.step, **values)

        counts = [group["num_mixtures"]] * len(group["classes"])
        every = self.config.training.progress_seconds
        settings = dataclasses.replace(
            self.settings, glorot_classes=len(counts)
        )  # a group starts as its layer would
        header = train_partition(
            store,
            group["classes"],
            counts,
            settings,
            self._file(i),
            priors,
            self.stop,
            report,
            every,
        )
        if header is None:
            return False
        numbers = {key: header[key] for key in ("loss", "steps", "seconds", "examples_per_second")}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        about = {
            "group": i,
            "classes": len(counts),
            "num_mixtures": group["num_mixtures"],
            "peak_memory_gb": round(peak, 3),
        }
        self.progress.event("group", **about, **numbers)
        self.progress.say(
            f"{number}: {len(counts)} classes of {group['num_mixtures']} mixtures in {duration(header['seconds'])},"
            f" {header['examples_per_second']:,.0f} examples/s, loss {header['loss']:.4g}, peak memory {peak:.2f} GB"
        )
        return True

    def _score_group(self, i: int, validation: FeatureStore) -> None:
        """Write the group's predictions of the validation videos, [n, C] a batch."""
        header, arrays = read_arrays(self._file(i))
        blocks = []
        for about in header["blocks"]:
            blocks.append(MixtureBlock(about["classes"], about["k"], validation.width))
            blocks[-1].load(arrays, with_moments=False)

        def scores() -> Iterator[np.ndarray]:
            for x, _ in validation.sequential(self._eval_batch()):
                x = tf.cast(tf.constant(x), self.settings.dtype)
                yield np.concatenate([block.predict(x) for block in blocks], axis=1)

        write_arrays(
            self._file(i, "scores"),
            {"classes": [c for b in blocks for c in b.classes], "batch": self._eval_batch()},
            scores(),
        )

    def _eval_batch(self) -> int:
        return self.config.training.eval_batch_size or self.config.recipe.batch_size

    def _end(self, store: FeatureStore, validation: FeatureStore | None) -> None:
        """Make one model of the groups, validate it, and let go of what only the training needed."""
        steps = {read_header(self._file(i))["steps"] for i in range(len(self.groups))}
        about: dict[str, Any] = {"step": max(steps), "epoch": self.config.recipe.num_epochs}
        place = BEST if validation is not None else "last"
        small = self._model([1]).build_weights()
        files = [self._file(i) for i in range(len(self.groups))]
        assemble(small, files, store.width, self.run.file(place, "model.weights.h5"))
        if validation is not None:
            result = self._validate(validation)
            about.update(result)
            self.progress.validation(
                {**result, "epoch": about["epoch"], "step": about["step"]}, True
            )
        self.run.write_text(os.path.join(place, "metrics.json"), json.dumps(about, indent=1) + "\n")
        self.run.write_text("done", "")
        self.progress.event("done", step=about["step"], best_gap=about.get("gap", -1.0))
        which = f"GAP {about['gap']:.4f}" if "gap" in about else "not validated"
        self.progress.say(
            f"done after {about['step']:,} steps of each of {len(files)} groups, {which}; the run is in {self.run.path}"
        )
        tf.io.gfile.rmtree(self.run.file("groups"))
        if not self.config.training.cache:
            tf.io.gfile.rmtree(self.features_folder)

    def _validate(self, validation: FeatureStore) -> dict[str, Any]:
        t, classes = self.config.training, self.config.schema.num_classes
        loss = losses.get(self.config.recipe.label_loss)
        batches = validation.sequential(self._eval_batch())
        files = [self._file(i, "scores") for i in range(len(self.groups))]
        pairs = _with_scores(batches, files, classes)
        return timed(lambda: evaluate(pairs, loss, classes, t.top_k))


def _with_scores(batches: Any, files: list[str], num_classes: int) -> Pairs:
    """Yield ({"labels"}, probabilities [n, K]) for each batch (features, labels) of a store.

    Each file holds the scores of one group's classes, a batch at a time.
    """
    opened = [read_arrays(f) for f in files]
    for _, labels in batches:
        out = np.zeros((len(labels), num_classes), np.float32)
        for header, arrays in opened:
            out[:, header["classes"]] = next(arrays)
        yield {"labels": tf.constant(labels)}, out
