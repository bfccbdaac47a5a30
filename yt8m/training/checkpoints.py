"""Checkpoints for resuming: weights, optimiser, averages and the place in the data, written so that a kill loses little."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from typing import Any

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.runs.folder import RunFolder


class TrainState(tf.Module):
    """Where a run is: plain numbers, kept in the checkpoint beside the weights.

    `best_gap` is the score of the best validation: its GAP, or minus the mean loss of a reconstruction.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.examples_in_epoch = tf.Variable(0, dtype=tf.int64)
        self.best_gap = tf.Variable(-math.inf, dtype=tf.float64)
        self.epochs_without_gain = tf.Variable(0, dtype=tf.int64)


class Checkpoints:
    """Saves and restores a run's tracked objects.

    Args:
      run: its folder.
      objects: what `tf.train.Checkpoint` tracks, by name.
      keep: how many to keep.
      every_seconds, every_steps: how often `due` says yes; 0 is never.
      chief: of several workers all take part in saving (it may hold collective reads), but only
        the chief's files are kept.
    """

    def __init__(
        self,
        run: RunFolder,
        objects: dict,
        keep: int,
        every_seconds: float,
        every_steps: int,
        chief: bool,
    ):
        self._checkpoint = tf.train.Checkpoint(**objects)
        self._folder = run.file("checkpoints")
        self._throwaway = None if chief else tempfile.mkdtemp()
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, self._throwaway or self._folder, max_to_keep=keep
        )
        self._every_seconds, self._every_steps = every_seconds, every_steps
        self._last_time, self._last_step = time.monotonic(), 0

    def restore(self) -> bool:
        """Restore the newest checkpoint that can be read; return whether there was one.

        Raises:
          UserError: it does not fit, or none can be read.
        """
        state = tf.train.get_checkpoint_state(self._folder)
        damaged: dict[str, str] = {}
        for path in reversed(state.all_model_checkpoint_paths if state else []):
            try:
                # Nothing may be left as it was initialised: what looks restored and is not trains on silently.
                self._checkpoint.restore(path).assert_existing_objects_matched()
            except (AssertionError, ValueError, tf.errors.InvalidArgumentError) as error:
                raise UserError(
                    f"the checkpoint {path} does not fit this program ({str(error).splitlines()[0]}). A run is resumed under the TensorFlow"
                    " and Keras that began it (see facts in config.json); best/ and last/ hold the weights for any version."
                )
            except (
                IndexError,
                RuntimeError,
                tf.errors.OpError,
            ) as error:  # cut short, as by a full disk or a lost network
                damaged[path] = str(error).splitlines()[0]
                continue
            for broken, why in damaged.items():
                print(
                    f"the checkpoint {broken} cannot be read ({why}): an older one is taken",
                    flush=True,
                )
            return True
        if damaged:
            raise UserError(
                f"no checkpoint of {self._folder} can be read ({'; '.join(damaged.values())}). best/ and last/ hold the weights:"
                " --init_from=RUN in a new --train_dir starts from them, --start_new_model deletes the run."
            )
        return False

    def due(self, step: int) -> bool:
        """Whether it is time to save."""
        by_steps = self._every_steps and step - self._last_step >= self._every_steps
        return bool(
            by_steps
            or (self._every_seconds and time.monotonic() - self._last_time >= self._every_seconds)
        )

    def save(self, step: int) -> Any:
        """Write a checkpoint; older ones are removed once it is whole."""
        self._last_time, self._last_step = time.monotonic(), step
        return self._manager.save(checkpoint_number=step)

    def close(self) -> None:
        """Remove what a worker that is not the chief wrote."""
        if self._throwaway:
            shutil.rmtree(self._throwaway, ignore_errors=True)
