"""Checkpoints for resuming: weights, optimizer, averages and the position in the data."""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import time
from typing import Any

import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.errors import UserError
from yt8m.process.guard import reason
from yt8m.runs.config import RunConfig
from yt8m.runs.devices.workers import is_chief
from yt8m.runs.folder import RunFolder
from yt8m.training.step import TrainStep


class TrainState(tf.Module):
    """The position of a run: plain numbers, saved in the checkpoint with the weights."""

    def __init__(self) -> None:
        super().__init__()
        # Checkpoints hold these variables under the names of the attributes.
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.examples_in_epoch = tf.Variable(0, dtype=tf.int64)
        self.best_gap = tf.Variable(-math.inf, dtype=tf.float64)
        self.epochs_without_gain = tf.Variable(0, dtype=tf.int64)

    @property
    def best_score(self) -> tf.Variable:
        """The best validation's GAP, or minus the mean loss of a reconstruction."""
        return self.best_gap

    def next_epoch(self, gained: bool) -> None:
        """Advance to the next epoch, and count the epochs without a gain."""
        self.epoch.assign_add(1)
        self.examples_in_epoch.assign(0)
        self.epochs_without_gain.assign(0 if gained else self.epochs_without_gain + 1)


def make_checkpoints(
    config: RunConfig, run: RunFolder, step: TrainStep, state: TrainState, pace: tf.Module
) -> Checkpoints:
    """Return the checkpoints of a run, which contain everything that its steps change.

    Those of a run that an earlier version of this program began lack `pace` and `weights`.
    """
    t = config.training
    # The keys are names in the checkpoint files.
    objects = {
        "model": step.model,
        "optimizer": step.optimizer,
        "average": step.average,
        "step": step.step,
        "state": state,
    }
    return Checkpoints(
        run,
        objects,
        # By themselves, because Keras 3 does not track the layers in a model's list: the optimizer
        # has their trainable weights, but moving statistics and the state of dropout were lost.
        newer={"pace": pace, "weights": [tf_variable(v) for v in step.model.variables]},
        keep=t.keep_checkpoints,
        every_seconds=60.0 * t.checkpoint_minutes,
        every_steps=t.export_model_steps,
        chief=is_chief(step.strategy),
    )


class Checkpoints:
    """Saves and restores a run's tracked objects.

    Args:
      run: the run's folder.
      objects: what `tf.train.Checkpoint` tracks, by name.
      newer: further objects, which a checkpoint to be restored may lack.
      keep: the number of checkpoints to keep.
      every_seconds, every_steps: how often a checkpoint is due; 0 is never.
      chief: all workers take part in saving (it may hold collective reads), but only the chief's
        files are kept.

    Attributes:
      is_old: whether the checkpoint that was restored lacks the newer objects.
    """

    def __init__(
        self,
        run: RunFolder,
        objects: dict[str, Any],
        newer: dict[str, Any],
        keep: int,
        every_seconds: float,
        every_steps: int,
        chief: bool,
    ):
        self._checkpoint = tf.train.Checkpoint(**objects, **newer)
        self._old_checkpoint, self._newer = tf.train.Checkpoint(**objects), newer
        self._folder = run.file("checkpoints")
        self._throwaway = None if chief else tempfile.mkdtemp()
        if chief:
            _check_list(self._folder)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, self._throwaway or self._folder, max_to_keep=keep
        )
        self.is_old = False
        self._every_seconds, self._every_steps = every_seconds, every_steps
        self._last_time, self._last_step = time.monotonic(), 0

    def restore(self) -> bool:
        """Restore the newest checkpoint that can be read; return whether there was one.

        Raises:
          UserError: it does not match, or none can be read.
        """
        damaged: dict[str, str] = {}
        for path in reversed(_saved(self._folder)):
            try:
                self._read(path)
            # These come from a file that was cut short, as by a full disk or a lost network.
            except UserError:
                raise
            except Exception as error:
                damaged[path] = reason(error)
                continue
            for broken, why in damaged.items():
                print(
                    f"the checkpoint {broken} cannot be read ({why}); using an older one",
                    flush=True,
                )
            return True
        if damaged:
            raise UserError(
                f"no checkpoint of {self._folder} can be read ({'; '.join(damaged.values())})."
                " best/ and last/ contain the weights: --init_from=RUN in a new --train_dir starts"
                " from them; --start_new_model deletes the run."
            )
        return False

    def _read(self, path: str) -> None:
        try:
            # Every object must be restored: a weight left at its initial value would go unnoticed.
            names = {name.partition("/")[0] for name, _ in tf.train.list_variables(path)}
            self.is_old = not names.issuperset(self._newer)
            checkpoint = self._old_checkpoint if self.is_old else self._checkpoint
            checkpoint.restore(path).assert_existing_objects_matched()
        except (AssertionError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise UserError(
                f"the checkpoint {path} does not match this program ({reason(error)}). Resume a run"
                " under the TensorFlow and Keras that began it (see facts in config.json); best/"
                " and last/ contain the weights for any version."
            ) from None

    def due(self, step: int) -> bool:
        """Return whether it is time to save."""
        steps, seconds = step - self._last_step, time.monotonic() - self._last_time
        by_steps = bool(self._every_steps) and steps >= self._every_steps
        by_time = bool(self._every_seconds) and seconds >= self._every_seconds
        return by_steps or by_time

    def steps_until_due(self, step: int) -> float:
        """Return the steps after which a checkpoint is due, whatever the time; it may be inf."""
        return self._last_step + self._every_steps - step if self._every_steps else math.inf

    def save(self, step: int) -> None:
        """Write a checkpoint; older ones are removed once it is complete."""
        self._last_time, self._last_step = time.monotonic(), step
        self._manager.save(checkpoint_number=step)

    def close(self) -> None:
        """Remove what a worker that is not the chief wrote."""
        if self._throwaway:
            shutil.rmtree(self._throwaway, ignore_errors=True)


def _listed(folder: str) -> list[str] | None:
    """Return the checkpoints that TensorFlow's list of them names; None if it cannot be read."""
    try:
        state = tf.train.get_checkpoint_state(folder)
    except (ValueError, tf.errors.OpError):
        return None
    return list(state.all_model_checkpoint_paths) if state else None


def _saved(folder: str) -> list[str]:
    """Return the checkpoints of a folder, the newest last, even if the list of them is lost."""
    listed = _listed(folder)
    if listed is not None:
        return listed
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    found = [m for m in (re.fullmatch(r"ckpt-(\d+)\.index", name) for name in names) if m]
    found.sort(key=lambda match: int(match[1]))
    return [os.path.join(folder, match[0].removesuffix(".index")) for match in found]


def _check_list(folder: str) -> None:
    """Remove a list of checkpoints that cannot be read, which TensorFlow would fail at.

    Raises:
      UserError: a folder is in its place.
    """
    path = os.path.join(folder, "checkpoint")
    if not tf.io.gfile.exists(path) or _listed(folder) is not None:
        return
    if tf.io.gfile.isdir(path):
        raise UserError(f"{path} is a folder, and a run has a file of that name; remove it.")
    print(f"{path} cannot be read; the checkpoints beside it are found without it", flush=True)
    tf.io.gfile.remove(path)
