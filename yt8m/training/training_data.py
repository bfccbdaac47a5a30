"""The training records of a run as batches on its replicas."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.files.counts import ShardCounts
from yt8m.data.pipeline import build_dataset, whole_rounds
from yt8m.data.records.check import leave_out_unparsable
from yt8m.data.records.sampling import FrameSampling
from yt8m.runs.config import RunConfig
from yt8m.runs.devices.workers import worker_of
from yt8m.runs.folder import RunFolder
from yt8m.training.label_experiments import LabelExperiments


def counts_of(run: RunFolder, strategy: tf.distribute.Strategy) -> ShardCounts:
    """Return what this worker has found in the shards of a run; it is kept with the checkpoints.

    With another number of workers, each reads other shards, and the counts of before do not apply.
    """
    index, workers = worker_of(strategy)
    return ShardCounts(run.file("checkpoints", f"shards-{index}-of-{workers}.json"))


class TrainingData:
    """Opens the training records at any position in any epoch.

    Args:
      config: the run's settings.
      files: shards.
      strategy: where the batches go.
      bad: counts the broken records.
      cache: copies of the records, or None.
      experiments: what the run does to its labels.
      counts: what this worker has found in its shards.

    Attributes:
      num_workers: processes that share the records.
    """

    def __init__(
        self,
        config: RunConfig,
        files: list[str],
        strategy: tf.distribute.Strategy,
        bad: BadRecords,
        cache: RecordCache | None,
        experiments: LabelExperiments,
        counts: ShardCounts | None = None,
    ):
        self._config, self._files, self._strategy = config, files, strategy
        self._bad, self._cache, self._experiments = bad, cache, experiments
        self._counts = counts
        self._worker, self.num_workers = worker_of(strategy)

    def open(self, epoch: int, skip_examples: int) -> Any:
        """Return an iterator over the replicas' batches of an epoch, `skip_examples` into it."""

        def batches_of_worker(_: Any) -> tf.data.Dataset:
            return self._batches(epoch, skip_examples // self.num_workers)

        return iter(self._strategy.distribute_datasets_from_function(batches_of_worker))

    def finding(self) -> str:
        """Return a line about the pass that has ended, or ""."""
        return self._experiments.finding()

    def broken(self) -> str:
        """Return a line about the broken records that were left out, or ""."""
        return self._bad.summary()

    def leaves_out(self, error: tf.errors.OpError | UnicodeDecodeError) -> bool:
        """Find the records that could not be parsed, which `open` then leaves out.

        Returns:
          Whether any were found, so that the data can be opened again.

        Raises:
          UserError: there are more than --max_bad_records.
        """
        # One of several workers cannot start over while the others wait for it in a step.
        return self.num_workers == 1 and leave_out_unparsable(
            error, self._files, self._config.schema, self._bad
        )

    def _batches(self, epoch: int, skip_examples: int) -> tf.data.Dataset:
        recipe, t = self._config.recipe, self._config.training
        replicas = self._strategy.num_replicas_in_sync
        frames = recipe.train_frames
        sampling = FrameSampling(recipe.frame_sampling, frames) if frames else FrameSampling()
        dataset = build_dataset(
            self._files,
            self._config.schema,
            batch_size=recipe.batch_size // replicas,
            training=True,
            seed=t.seed,
            epoch=epoch,
            skip_examples=skip_examples,
            sampling=sampling,
            num_readers=t.num_readers,
            shuffle_buffer=t.shuffle_buffer,
            shuffle_shards=t.shuffle_shards,
            cache=self._cache,
            bad_records=self._bad,
            worker=(self._worker, self.num_workers),
            counts=self._counts,
            balanced=self._experiments.balanced,
        )
        first = skip_examples // (recipe.batch_size // replicas)
        dataset = self._experiments.applied(dataset, t.seed, epoch, self._worker, first)
        # Strings cannot travel to a TPU, and no step needs the ids.
        dataset = dataset.map(lambda batch: {k: v for k, v in batch.items() if k != "id"})
        if replicas > 1 and isinstance(self._strategy, tf.distribute.TPUStrategy):
            dataset = whole_rounds(dataset, replicas)
        # Workers must step together, although their shards differ in size.
        return dataset.repeat() if self.num_workers > 1 else dataset
