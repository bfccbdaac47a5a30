"""The mean of the weights of a run's last epochs, which --average_checkpoints asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.errors import UserError
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.devices.workers import worker_of
from yt8m.runs.folder import WINDOW, RunFolder
from yt8m.runs.load import load_weights
from yt8m.runs.save import save_weights

_PREFIX, _SUFFIX = "epoch-", ".weights.h5"


def check(config: RunConfig) -> None:
    """Refuse a mean that cannot be computed or judged.

    Raises:
      UserError: names the flag and what it needs.
    """
    t = config.training
    if not t.average_checkpoints:
        return
    flag = f"--average_checkpoints={t.average_checkpoints}"
    if t.trainer != "joint":
        raise UserError(
            f"{flag} works only with --trainer=joint, but this run's trainer is {t.trainer}; drop"
            " one of the two."
        )
    if t.average_checkpoints < 2:
        raise UserError(f"{flag}: a mean takes the weights of 2 epochs or more, or 0 for none.")
    if not t.eval_data_pattern:
        raise UserError(
            f"{flag} keeps the mean only where it is better on validation records; add"
            " --eval_data_pattern, or drop the flag."
        )


class WeightWindow:
    """Keeps the weights of a run's last epochs in files, and computes their mean.

    Args:
      run: the run's folder.
      model: the model that is trained.
      size: number of epochs.
    """

    def __init__(self, run: RunFolder, model: Yt8mModel, size: int):
        self._run, self._model, self._size = run, model, size

    def keep(self, epoch: int) -> None:
        """Save the model's weights as those of an epoch, and delete those before the window."""
        save_weights(self._model, self._file(epoch))
        for old in self._saved():
            if old <= epoch - self._size:
                tf.io.gfile.remove(self._file(old))

    def epochs(self, last: int) -> list[int]:
        """Return the epochs up to `last` that are in the window, in their order."""
        return [epoch for epoch in self._saved() if last - self._size < epoch <= last]

    @contextlib.contextmanager
    def mean(self, epochs: list[int]) -> Iterator[None]:
        """Within this context, the model has the mean of the weights of some epochs.

        Statistics of batch normalisation are averaged like weights; whole numbers, such as the
        state of a random generator, stay as they are.
        """
        variables = [v for v in map(tf_variable, self._model.variables) if v.dtype.is_floating]
        before = [tf.identity(v) for v in variables]
        try:
            sums = [np.zeros(v.shape, np.float64) for v in variables]
            for epoch in epochs:
                load_weights(self._model, self._file(epoch))
                for total, variable in zip(sums, variables):
                    total += variable.numpy()
            for variable, total in zip(variables, sums):
                variable.assign((total / len(epochs)).astype(variable.dtype.as_numpy_dtype))
            yield
        finally:
            for variable, value in zip(variables, before):
                variable.assign(value)

    def _file(self, epoch: int) -> str:
        return self._run.file(WINDOW, f"{_PREFIX}{epoch:05d}{_SUFFIX}")

    def _saved(self) -> list[int]:
        folder = self._run.file(WINDOW)
        names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
        return sorted(
            int(name[len(_PREFIX) : -len(_SUFFIX)])
            for name in names
            if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
        )


def make_window(
    config: RunConfig, run: RunFolder, model: Yt8mModel, strategy: tf.distribute.Strategy
) -> WeightWindow | None:
    """Return the window that a run's settings ask for, or None.

    Raises:
      UserError: the mean cannot be judged, or several workers train the model, of which only one
        writes files.
    """
    check(config)
    size = config.training.average_checkpoints
    if size and worker_of(strategy)[1] > 1:
        raise UserError(
            f"--average_checkpoints={size} works with one worker, but this run has"
            f" {worker_of(strategy)[1]}; drop the flag."
        )
    return WeightWindow(run, model, size) if size else None
