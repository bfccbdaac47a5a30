"""A trained run: its labels, its predictions and its metrics."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from yt8m.api.dataset import Batch, Dataset
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.schema import RecordSchema
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.metrics.top_k import top_k as best_of_rows
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.settings.training import Which
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.ids import as_texts

Scores = npt.NDArray[np.float32]


def load_run(train_dir: str, checkpoint: Which = "") -> Run:
    """Return a trained run from its folder.

    Args:
      train_dir: the folder, local or remote, or a model on the Hugging Face Hub:
        "hf://OWNER/NAME", or "hf://OWNER/NAME@REVISION".
      checkpoint: "best", "last", or "" for the best validated weights, or else the last.

    Raises:
      UserError: the folder contains no run, or the run has no model yet.

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
        """The names of the K classes, or their numbers if there is no vocabulary.

        Example:
          >>> import yt8m
          >>> all(isinstance(name, str) for name in yt8m.load_run("runs/moe").labels)
          True
        """
        return list(self._trained.class_names())

    def predict(
        self,
        data: npt.ArrayLike | str | Dataset | Iterable[Batch],
        num_frames: npt.ArrayLike | None = None,
    ) -> Scores:
        """Return the probability of each class, [N, K].

        Args:
          data: features [N, D] of whole videos, or frames [N, T, D] of bytes or floats as in the
            run's records; or a `Dataset`, a pattern of
            record files, or batches in the form that a `Dataset` has.
          num_frames: number of frames of each video [N], where `data` are frames; by default T for
            all.

        Raises:
          UserError: the records do not match the run's model.
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

    def named(self, scores: npt.ArrayLike, top_k: int = 5) -> list[list[tuple[str, float]]]:
        """Return the best classes of each video by name, with their probabilities, best first.

        Args:
          scores: probabilities [N, K], such as `predict` returns.
          top_k: number of classes of each video.

        Raises:
          ValueError: `scores` have another number of classes than the run.

        Example:
          >>> import yt8m
          >>> run = yt8m.load_run("runs/moe")
          >>> [(name, score), *_] = run.named(run.predict("data/video/test*.tfrecord"))[0]
          >>> name in run.labels and 0 <= score <= 1
          True
        """
        names, scores = self._trained.class_names(), np.asarray(scores, np.float32)
        if scores.ndim != 2 or scores.shape[1] != len(names):
            raise ValueError(f"scores [N, {len(names)}] were expected, not {list(scores.shape)}")
        best, classes = best_of_rows(scores, min(top_k, len(names)))
        return [[(names[c], float(score)) for c, score in zip(*row)] for row in zip(classes, best)]

    def predict_with_ids(self, data: str | Dataset) -> Iterator[tuple[list[str], Scores]]:
        """Yield the ids [B] and the probabilities [B, K] of each batch of records.

        Args:
          data: a `Dataset`, or a pattern of record files.

        Raises:
          UserError: the records do not match the run's model.

        Example:
          >>> import yt8m
          >>> run = yt8m.load_run("runs/moe")
          >>> ids, scores = next(run.predict_with_ids("data/video/test*.tfrecord"))
          >>> len(ids) == len(scores)
          True
        """
        for batch, scores in self._predictions(data, None):
            yield as_texts(np.asarray(batch["id"])), scores

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
          UserError: the records do not match the run's model, or have no labels.

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
        frames = _frames(features, schema)
        return {"frames": frames, "num_frames": np.asarray(num_frames, np.int32)}


def _frames(frames: npt.NDArray[Any], schema: RecordSchema) -> npt.NDArray[Any]:
    """Return frames in the type of the run's records: bytes, or float32."""
    if schema.float_frames and schema.frames_as != "bytes":
        return frames.astype(np.float32, copy=False)
    if frames.dtype == np.uint8:
        return frames
    as_bytes = frames.astype(np.uint8)
    if not np.array_equal(as_bytes, frames):
        raise ValueError(
            f"this run takes frames as bytes, as in its records, not as {frames.dtype} with other"
            " values than whole numbers from 0 to 255"
        )
    return as_bytes


def _silently(_: str) -> None:
    """Print nothing."""


def _pattern(data: str | Dataset) -> str:
    return data if isinstance(data, str) else ",".join(data.files)
