"""The public functions of `yt8m`: everything that a program needs to train a model and to use it.

They change no global state, print what a run reports, and raise `UserError` for a mistake of the
caller. The examples expect record files in `data/`, as `python -m yt8m.data.synthetic
--out_dir=data` makes them.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from yt8m.commands.start_run import start_run
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.schema import MAX_FRAMES, RecordSchema
from yt8m.data.vocabulary import beside, read_vocabulary
from yt8m.errors import UserError
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import Which
from yt8m.runs.strategy import make_strategy
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.ids import decode_ids

__all__ = [
    "Dataset",
    "Run",
    "UserError",
    "create_model",
    "list_models",
    "load_run",
    "open_dataset",
    "train",
]

Batch = dict[str, Any]
Scores = npt.NDArray[np.float32]


def list_models(pattern: str = "*", task: str | None = "classification") -> list[str]:
    """Return the names of the models, sorted.

    Args:
      pattern: shell-style pattern of names.
      task: "classification", "reconstruction", or None for both.

    Example:
      >>> import yt8m
      >>> "MoeModel" in yt8m.list_models()
      True
      >>> yt8m.list_models("Moe*")
      ['MoeModel']
    """
    return registry.list_models(pattern, task)


def create_model(
    name: str, num_classes: int, feature_sizes: Sequence[int] = (1024, 128), **arguments: Any
) -> Yt8mModel:
    """Return a new Keras model with its weights built.

    Args:
      name: from `list_models`, or an alias.
      num_classes: K.
      feature_sizes: widths of the concatenated features.
      **arguments: of the model's constructor.

    Raises:
      UserError: there is no such model.
      TypeError, ValueError: the model does not take an argument.

    Example:
      >>> import numpy as np
      >>> import yt8m
      >>> model = yt8m.create_model("MoeModel", num_classes=10, feature_sizes=(32, 8))
      >>> model({"video": np.zeros([4, 40], np.float32)}).shape[1]
      10
    """
    created = registry.create(
        name, num_classes=num_classes, feature_sizes=tuple(feature_sizes), **arguments
    )
    return created.build_weights()


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Records on disk. Iterating over it gives every example once, in a fixed order.

    Attributes:
      files: the shards.
      schema: what the records hold.
      description: one line about them.
      batch_size: examples per batch.
    """

    files: list[str]
    schema: RecordSchema
    description: str
    batch_size: int

    def batches(self, *, training: bool = False, seed: int = 0, epoch: int = 0) -> tf.data.Dataset:
        """Return the batches of one pass.

        Args:
          training: shuffle the records, and drop the last partial batch.
          seed: decides the order, together with `epoch`.
          epoch: number of the pass.

        Returns:
          Batches {"id": string [B], "video": float32 [B, D] or "frames": uint8 [B, T, D],
          "num_frames": int32 [B], "labels": uint8 [B, K]}; rated segments also have
          "weights": float32 [B, K].
        """
        return build_dataset(
            self.files,
            self.schema,
            batch_size=self.batch_size,
            training=training,
            seed=seed,
            epoch=epoch,
        )

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in the records' order."""
        return iter(self.batches())


def open_dataset(
    pattern: str,
    batch_size: int = 128,
    *,
    num_classes: int | None = None,
    feature_names: Sequence[str] | None = None,
    segment_labels: bool = False,
    max_frames: int = MAX_FRAMES,
    vocabulary_file: str = "",
) -> Dataset:
    """Open record files; their schema is read from the records.

    Args:
      pattern: comma-separated glob patterns, local or remote.
      batch_size: examples per batch.
      num_classes: K; by default the rows of a vocabulary.csv beside the records, or else those of
        the release.
      feature_names: features to read, in their order of concatenation; by default all.
      segment_labels: read rated five-second segments in place of whole videos.
      max_frames: frames that are kept of each video.
      vocabulary_file: vocabulary.csv, if it is not beside the records.

    Raises:
      UserError: no file matches, or the records are not what the arguments say.

    Example:
      >>> import yt8m
      >>> dataset = yt8m.open_dataset("data/video/train*.tfrecord", batch_size=16)
      >>> batch = next(iter(dataset))
      >>> batch["video"].shape[1] == dataset.schema.feature_size
      True
    """
    files = find_shards(pattern, "pattern")
    schema, description = find_schema(
        files,
        feature_names=feature_names,
        num_classes=num_classes,
        segment_labels=segment_labels,
        max_frames=max_frames,
        vocabulary_file=vocabulary_file,
        flag="pattern",
    )
    return Dataset(files, schema, description, batch_size)


def train(
    model: str,
    train_data: str,
    eval_data: str = "",
    *,
    train_dir: str,
    arguments: Mapping[str, Any] | None = None,
    start_new_model: bool = False,
    starter_defaults: bool = False,
    **settings: Any,
) -> Run:
    """Train a model, or resume its run, and return the trained run.

    Args:
      model: from `list_models`, or an alias.
      train_data: comma-separated glob patterns of the training records.
      eval_data: those of the validation records; empty for none.
      train_dir: folder of the run. The same call resumes it.
      arguments: of the model's constructor.
      start_new_model: delete the run that `train_dir` holds, and start over.
      starter_defaults: use the starter code's values in place of the model's recipe.
      **settings: those of `python train.py --help`, by the names in `config.json`.

    Raises:
      UserError: a setting is wrong, the records do not fit the model, or `train_dir` holds another
        run.
      yt8m.runs.stop_signal.Stopped: a signal ended the run, which the same call resumes.

    Example:
      >>> import yt8m
      >>> run = yt8m.train(
      ...     "MoeModel",
      ...     train_data="data/video/train*.tfrecord",
      ...     eval_data="data/video/validate*.tfrecord",
      ...     train_dir="runs/moe",
      ...     num_epochs=1,
      ...     batch_size=64,
      ... )
      >>> run.config.model.name
      'MoeModel'
    """
    devices = make_strategy(
        settings.get("strategy", "auto"), settings.get("num_gpu", 0), [train_data, train_dir]
    )
    start_run(
        model,
        train_data,
        eval_data,
        train_dir,
        devices,
        start_new_model=start_new_model,
        arguments=arguments,
        starter_defaults=starter_defaults,
        **settings,
    )
    return load_run(train_dir)


def load_run(train_dir: str, checkpoint: Which = "") -> Run:
    """Return a trained run from its folder.

    Args:
      train_dir: the folder, local or remote.
      checkpoint: "best", "last", or "" for the best validated weights, or else the last.

    Raises:
      UserError: the folder holds no run, or the run has no model yet.

    Example:
      >>> import yt8m
      >>> run = yt8m.load_run("runs/moe")
      >>> len(run.labels) == run.config.schema.num_classes
      True
    """
    return Run(TrainedModel(train_dir, checkpoint), train_dir)


class Run:
    """A trained model and the settings that it was trained with.

    Attributes:
      train_dir: folder of the run.
    """

    def __init__(self, trained: TrainedModel, train_dir: str):
        self._trained, self.train_dir = trained, train_dir

    @property
    def config(self) -> RunConfig:
        """The run's settings."""
        return self._trained.config

    @property
    def model(self) -> Yt8mModel:
        """The Keras model with the run's weights."""
        return self._trained.model

    @property
    def labels(self) -> list[str]:
        """The names of the K classes; their numbers where there is no vocabulary.

        Example:
          >>> import yt8m
          >>> all(isinstance(name, str) for name in yt8m.load_run("runs/moe").labels)
          True
        """
        training, classes = self.config.training, self.config.schema.num_classes
        path = training.vocabulary_file or beside(training.train_data_pattern.split(","))
        names = list(read_vocabulary(path).names) if path else []
        return names if len(names) == classes else [str(number) for number in range(classes)]

    def predict(
        self,
        data: npt.ArrayLike | str | Dataset | Iterable[Batch],
        num_frames: npt.ArrayLike | None = None,
    ) -> Scores:
        """Return the probability of each class, [N, K].

        Args:
          data: features [N, D] of whole videos, or frames [N, T, D]; or a `Dataset`, a pattern of
            record files, or batches in the form that a `Dataset` has.
          num_frames: number of frames of each video [N], where `data` are frames; by default T for
            all.

        Raises:
          UserError: the records do not fit the run's model.
          ValueError: the array does not.

        Example:
          >>> import numpy as np
          >>> import yt8m
          >>> run = yt8m.load_run("runs/moe")
          >>> features = np.zeros([3, run.config.schema.feature_size], np.float32)
          >>> run.predict(features).shape == (3, len(run.labels))
          True
          >>> test = yt8m.open_dataset("data/video/test*.tfrecord")
          >>> run.predict(test).shape[1] == len(run.labels)
          True
        """
        parts = [scores for _, scores in self._predictions(data, num_frames)]
        if not parts:
            return np.zeros([0, self.config.schema.num_classes], np.float32)
        return np.concatenate(parts).astype(np.float32, copy=False)

    def predict_with_ids(self, data: str | Dataset) -> Iterator[tuple[list[str], Scores]]:
        """Yield the ids [B] and the probabilities [B, K] of each batch of records.

        Args:
          data: a `Dataset`, or a pattern of record files.

        Raises:
          UserError: the records do not fit the run's model.

        Example:
          >>> import yt8m
          >>> run = yt8m.load_run("runs/moe")
          >>> ids, scores = next(run.predict_with_ids("data/video/test*.tfrecord"))
          >>> len(ids) == len(scores)
          True
        """
        for batch, scores in self._predictions(data, None):
            yield decode_ids(np.asarray(batch["id"])), scores

    def evaluate(
        self, data: str | Dataset = "", top_k: int = 20, output_dir: str = ""
    ) -> dict[str, Any]:
        """Return the metrics over labelled records: GAP, MAP, PERR, Hit@1 and others.

        Args:
          data: a `Dataset`, or a pattern of record files; by default those that the run was
            validated on.
          top_k: labels per video that enter GAP and MAP.
          output_dir: folder for metrics.json and per_class_ap.json; by default nothing is written.

        Raises:
          UserError: the records do not fit the run's model, or hold no labels.

        Example:
          >>> import yt8m
          >>> metrics = yt8m.load_run("runs/moe").evaluate("data/video/validate*.tfrecord")
          >>> 0 <= metrics["gap"] <= 1
          True
        """
        pattern = _pattern(data) or self.config.training.eval_data_pattern
        with tempfile.TemporaryDirectory() as scratch:
            return evaluate_run(
                self._trained, pattern, output_dir or scratch, top_k=top_k, say=_silently
            )

    def _predictions(
        self, data: Any, num_frames: npt.ArrayLike | None
    ) -> Iterator[tuple[Batch, Scores]]:
        """Yield each batch with its scores."""
        if isinstance(data, (str, Dataset)):
            bad = BadRecords()
            batches, predictor = self._trained.records(
                _pattern(data), "data", 0, None, bad, _silently, with_labels=False
            )
            with bad.explained(self.config.schema.num_classes):
                yield from predictor.over(batches)
        elif hasattr(data, "shape") or isinstance(data, (list, tuple)):
            batch = self._batch(np.asarray(data), num_frames)
            size = self.config.recipe.batch_size
            predictor = self._trained.predictor(min(size, max(1, len(batch["num_frames"]))))
            for start in range(0, len(batch["num_frames"]), size):
                part = {key: value[start : start + size] for key, value in batch.items()}
                yield part, predictor(part)
        else:
            for batch in data:
                rows = len(batch["num_frames"])
                yield batch, self._trained.predictor(rows)(batch)

    def _batch(self, features: npt.NDArray[Any], num_frames: npt.ArrayLike | None) -> Batch:
        """Return an array as a batch of the model's inputs."""
        schema = self.config.schema
        rank = 3 if schema.level == "frame" else 2
        if features.ndim != rank or features.shape[-1] != schema.feature_size:
            wanted = "[N, T, D]" if rank == 3 else "[N, D]"
            raise ValueError(
                f"{schema.level}-level features of shape {wanted} with D = {schema.feature_size} "
                f"were expected, not {features.shape}"
            )
        if rank == 2:
            lengths = np.ones(len(features), np.int32)
            return {"video": features.astype(np.float32, copy=False), "num_frames": lengths}
        if num_frames is None:
            num_frames = np.full(len(features), features.shape[1])
        return {"frames": features, "num_frames": np.asarray(num_frames, np.int32)}


def _silently(_: str) -> None:
    """Print nothing."""


def _pattern(data: str | Dataset) -> str:
    return data if isinstance(data, str) else ",".join(data.files)
