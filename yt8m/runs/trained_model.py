"""A trained model from a run's folder, ready for prediction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.schema import MAX_FRAMES
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.classes.names import ClassNames, class_names
from yt8m.runs.config import RunConfig
from yt8m.runs.devices.dtype import dtype_to_predict
from yt8m.runs.devices.machine import this_machine
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.devices.used import UsedDevices
from yt8m.runs.evaluation_records import EvaluationRecords
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import described, load_saved, weights_file
from yt8m.runs.predictor import Predictor
from yt8m.runs.settings.training import Strategy, Which


def check_task(config: RunConfig, train_dir: str) -> None:
    """Refuse a run that was trained to reconstruct frames.

    Raises:
      UserError: the run's model predicts no labels.
    """
    task = registry.model_class(config.model.name).task
    if task != "classification":
        raise UserError(
            f"{train_dir} contains a {config.model.name} trained for {task}, which predicts no"
            " labels. Its validation loss is in best/metrics.json; train.py"
            f" --init_from={train_dir} trains a classifier from it."
        )


def on_segments(config: RunConfig, train_dir: str) -> RunConfig:
    """Return the run's settings with five-second segments instead of whole videos.

    Raises:
      UserError: its model takes video-level means.
    """
    if config.schema.level != "frame":
        raise UserError(
            f"--segment_labels: segments are cut from frames, but {train_dir} contains a"
            f" {config.model.name}, which takes video-level means; name a run of a frame-level"
            " model."
        )
    # Segments are cut from all frames of a video, however many of them the run was trained on.
    schema = dataclasses.replace(config.schema, segment_labels=True, max_frames=MAX_FRAMES)
    return dataclasses.replace(config, schema=schema)


class TrainedModel:
    """A model with a run's weights.

    Args:
      train_dir: the run's folder.
      which: "best", "last", or "" for the best there is.
      strategy, num_gpu: where it computes; see `yt8m.runs.devices.strategy.make_strategy`.
      jit_compile: compile with XLA.
      segment_labels: read five-second segments, even if the run was trained on whole videos.

    Attributes:
      config: the run's settings.
      model: the model.
      run: the run's folder.
      path: the weight file.
      strategy: where the model computes.
      dtype: what it computes in.

    Raises:
      UserError: there is no run or no model, or it predicts no labels.
    """

    def __init__(
        self,
        train_dir: str,
        which: Which = "",
        strategy: Strategy = "auto",
        num_gpu: int = 0,
        jit_compile: bool = False,
        segment_labels: bool = False,
    ):
        self.run = run = RunFolder(train_dir)
        trained = run.load_config()
        check_task(trained, train_dir)
        self.path = weights_file(run, which)
        self._jit_compile = jit_compile
        self.strategy = make_strategy(strategy, num_gpu, workers=False)
        kind = UsedDevices.of(self.strategy).kind
        self.dtype = dtype_to_predict(trained.training.dtype, kind, this_machine())
        with self.strategy.scope():
            loaded: tuple[RunConfig, Yt8mModel] = load_saved(run, self.path, self.dtype.dtype)
        self.config, self.model = loaded
        if segment_labels:
            self.config = on_segments(self.config, train_dir)

    def predictor(self, batch_size: int) -> Predictor:
        """Return the function from batches of at most `batch_size` examples to probabilities."""
        return Predictor(self.strategy, self.model, batch_size, self._jit_compile)

    def class_names(self, given: str = "", files: Sequence[str] = ()) -> ClassNames:
        """Return the names of the model's classes; see `yt8m.runs.classes.names.class_names`."""
        return class_names(self.run, self.config, given, files)

    def records(
        self,
        pattern: str,
        flag: str,
        batch_size: int,
        eval_frames: int | None,
        bad: BadRecords,
        say: Callable[[str], None],
        **more: Any,
    ) -> tuple[Iterator[dict[str, tf.Tensor]], Predictor]:
        """Return the batches of `pattern` and a predictor for their size; print a description.

        Args:
          pattern: globs of records.
          flag: the name of the pattern's flag in messages.
          batch_size: examples in a batch; 0 is the run's own.
          eval_frames: evenly spaced frames of each video; 0 is all, None what the run validated
            with.
          bad: counts broken records.
          say: prints.
          **more: for `yt8m.data.pipeline.read_batches`; without labels, segments need no ratings.

        Raises:
          UserError: nothing matches, or the records do not match the model.
        """
        rated = more.get("with_labels", True)
        records = self.opened(pattern, flag, batch_size, eval_frames, rated, say)
        return records.batches(bad, **more), self.predictor(records.batch_size)

    def opened(
        self,
        pattern: str,
        flag: str,
        batch_size: int,
        eval_frames: int | None,
        rated: bool,
        say: Callable[[str], None],
    ) -> EvaluationRecords:
        """Return the records of `pattern` as the model reads them, and print a description.

        Args:
          pattern: globs of records.
          flag: the name of the pattern's flag in messages.
          batch_size: examples in a batch; 0 is the run's own.
          eval_frames: see `records`.
          rated: whether segments need ratings.
          say: prints.

        Raises:
          UserError: nothing matches, or the records do not match the model.
        """
        records = EvaluationRecords(self.config, pattern, flag, batch_size, eval_frames, rated)
        about = f"{records.description}; {len(records.files)} files"
        say(UsedDevices.of(self.strategy).line(self.dtype))
        say(f"{self.config.model.name} from {described(self.path)}\n{about}")
        return records
