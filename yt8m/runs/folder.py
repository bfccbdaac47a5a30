"""The files of a run under `--train_dir`."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m import files, hub, locks, stored
from yt8m.data.vocabulary import FILE as VOCABULARY
from yt8m.errors import UserError
from yt8m.process.guard import reason
from yt8m.runs.config import CONFIG_FILE, RunConfig
from yt8m.text_lines import decoded

BEST: Final = "best"  # a folder: weights and metrics of the best validation, averaged weights
LAST: Final = "last"  # a folder: the same with each checkpoint, and at the end of the run
WEIGHTS = "model.weights.h5"
METRICS = "metrics.json"
# In a weight file and beside it: the arguments in which its model differs from the run's.
MODEL_FILE = "model.json"
# In a published folder (`yt8m publish`), whose weights lie beside its settings.
PUBLICATION = "publication.json"
CLASSES: Final = "classes.csv"  # the vocabulary of the run's classes, copied at its beginning
WINDOW = "window"  # a folder: the weights of the last epochs, for --average_checkpoints
STEP_1 = "step1"  # a folder: the joint training of the alternating trainer, a run of its own
ALTERNATION = "alternation"  # a folder: what the steps of the alternating trainer keep
LABEL_INDEX = "label_index.npz"  # labels and places of the training records
_LOG, _PRIORS, _DONE = "metrics.jsonl", "priors.npy", "done"
_STATISTICS = "input_statistics.npz"  # mean and standard deviation of each input feature
_OURS = frozenset(
    (
        CONFIG_FILE, "checkpoints", _LOG, "logs", _DONE, _PRIORS, BEST, LAST, "eval", STEP_1,
        ALTERNATION, "groups", "features", LABEL_INDEX, WINDOW, CLASSES, _STATISTICS,
    )
)  # fmt: skip
_FOLDERS = frozenset(
    ("checkpoints", "logs", BEST, LAST, "eval", STEP_1, ALTERNATION, "groups", "features", WINDOW)
)
_AGAIN = "delete it: the same command computes it again."
# What a command leaves without a config.json if it was refused, or killed before its first step.
_PROBE = ".probe"
_OF_ATTEMPTS = frozenset(
    ("logs", _LOG, _PRIORS, _STATISTICS, "features", LABEL_INDEX, _PROBE, CLASSES)
)
# Where a killed process leaves unfinished files; evaluations write into `eval` at any time.
_WRITTEN = ("", BEST, LAST, WINDOW, ALTERNATION, "groups", "checkpoints")


class RunFolder:
    """The folder of one run, which train.py creates and every other script reads.

    Attributes:
      path: the folder; for a model on the Hugging Face Hub, that of its download.

    Args:
      path: local, remote (gs://), or a model on the Hugging Face Hub (hf://OWNER/NAME), which is
        downloaded; a folder need not exist.

    Raises:
      UserError: the model on the Hub cannot be had; see `yt8m.hub.local`.
    """

    def __init__(self, path: str):
        self.path = os.fspath(hub.local(path))

    def file(self, *names: str) -> str:
        """Return the path of a file of the run."""
        return os.path.join(self.path, *names)

    def exists(self) -> bool:
        """Return whether the folder contains a run that has begun."""
        return self._has(CONFIG_FILE)

    def make(self) -> None:
        """Create the folder, and check that it can be written.

        Raises:
          UserError: it cannot be written.
        """
        self._check_kinds()
        probe = self.file(_PROBE)
        try:
            tf.io.gfile.makedirs(self.path)
            with tf.io.gfile.GFile(probe, "w") as f:
                f.write("")
            # Another worker that checks at the same time may have removed it already.
            with contextlib.suppress(tf.errors.NotFoundError):
                tf.io.gfile.remove(probe)
        except (tf.errors.OpError, OSError) as error:
            with contextlib.suppress(tf.errors.OpError, OSError):
                tf.io.gfile.remove(probe)
            raise UserError(
                f"--train_dir={self.path} cannot be written ({reason(error)}); name another folder."
            ) from None

    def remove_unfinished(self) -> None:
        """Remove what a killed process left unfinished; for the process that trains the run."""
        for folder in (*_WRITTEN, *(os.path.join(STEP_1, name) for name in _WRITTEN)):
            files.remove_unfinished_in(self.file(folder))
        for step in ("*", os.path.join("*", BEST)):  # of an alternation, and its model
            with contextlib.suppress(tf.errors.OpError, OSError):
                for found in tf.io.gfile.glob(os.path.join(self.file(ALTERNATION), step)):
                    files.remove_unfinished_in(found)
        for folder in (self.file("checkpoints"), self.file(STEP_1, "checkpoints")):
            with contextlib.suppress(tf.errors.OpError, OSError):
                for left in tf.io.gfile.glob(os.path.join(folder, "*_temp")):
                    tf.io.gfile.rmtree(left)

    def delete(self) -> None:
        """Delete an earlier run, but no file that a run did not write.

        See `docs/sources.md#deleting-a-run`.

        Raises:
          UserError: the folder contains other files and no run.
        """
        if not tf.io.gfile.isdir(self.path):
            return
        names = {n.rstrip("/") for n in tf.io.gfile.listdir(self.path)} - {locks.IN_FOLDER}
        if names <= _OF_ATTEMPTS:
            return  # The names alone do not prove that a run made them.
        if PUBLICATION in names:
            raise UserError(
                f"--start_new_model: {self.path} is a published model and is not deleted; name"
                " another --train_dir."
            )
        if CONFIG_FILE not in names:
            raise UserError(
                f"--start_new_model: {self.path} contains {', '.join(sorted(names)[:5])} but no"
                f" {CONFIG_FILE}, so it is not a run's folder and is not deleted; name another"
                " --train_dir."
            )
        if not self._may_be_a_run():
            raise UserError(
                f"--start_new_model: the {CONFIG_FILE} in {self.path} has no settings of a run, so"
                " that it is of another program and is not deleted; name another --train_dir."
            )
        for name in names & _OURS:
            path = self.file(name)
            remove = tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove
            remove(path)

    def _may_be_a_run(self) -> bool:
        """Return whether the settings are of a run, or are too damaged to tell."""
        try:
            found = json.loads(decoded(stored.read_bytes(self.file(CONFIG_FILE), 64 << 20)))
        except (UserError, ValueError, RecursionError):
            return True
        return isinstance(found, dict) and {"schema", "training"} <= set(found)

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the run; the file never contains only part of the text."""
        tf.io.gfile.makedirs(os.path.dirname(self.file(name)))
        files.write_text(self.file(name), text)

    def load_config(self, flag: str = "--train_dir") -> RunConfig:
        """Return the run's settings.

        Args:
          flag: the name of the folder's flag in messages.

        Raises:
          UserError: there is no run here.
        """
        path = self.file(CONFIG_FILE)
        if not self.exists():
            raise UserError(
                f"{flag}={self.path} {self._instead()}; name the folder that train.py wrote its run"
                " to."
            )
        with stored.intact(path, "restore it from a copy, or name another folder."):
            text = decoded(stored.read_bytes(path, 64 << 20))
        return RunConfig.from_json(text, path)

    def _instead(self) -> str:
        """Return what is in the place of a run's folder."""
        if tf.io.gfile.isdir(self.path):
            return f"contains no {CONFIG_FILE}"
        if tf.io.gfile.exists(self.path):
            return "is a file"
        if "://" not in self.path and os.path.islink(self.path):
            return f"is a link that leads nowhere ({os.readlink(self.path)})"
        return "does not exist"

    def save_priors(self, priors: NDArray[np.float64]) -> None:
        """Save the label priors [K] from which the heads start."""
        content = io.BytesIO()
        np.save(content, priors.astype(np.float64))
        files.write_bytes(self.file(_PRIORS), content.getvalue())

    def remove_starting_values(self) -> None:
        """Delete the priors and the statistics of the inputs, if there are any."""
        for name in (_PRIORS, _STATISTICS):
            if self._has(name):
                tf.io.gfile.remove(self.file(name))

    def save_statistics(self, statistics: dict[str, NDArray[np.float64]]) -> None:
        """Save the "mean" and the "std" of each input feature [D], for --input_norm=standardize."""
        content = io.BytesIO()
        np.savez(content, mean=statistics["mean"], std=statistics["std"])
        files.write_bytes(self.file(_STATISTICS), content.getvalue())

    def load_statistics(self) -> dict[str, NDArray[np.float64]] | None:
        """Return the statistics of the inputs saved with the run, or None."""
        if not self._has(_STATISTICS):
            return None
        with stored.intact(self.file(_STATISTICS), _AGAIN):
            found = stored.read_arrays(self.file(_STATISTICS))
            for name in ("mean", "std"):
                if found[name].ndim != 1 or not np.isfinite(found[name]).all():
                    raise ValueError(f"its {name} is not one finite number for each feature")
            return found

    def load_priors(self) -> NDArray[np.float64] | None:
        """Return the priors [K] saved with the run, or None."""
        if not self._has(_PRIORS):
            return None
        with stored.intact(self.file(_PRIORS), _AGAIN):
            content = stored.read_bytes(self.file(_PRIORS), 1 << 30)
            priors = np.load(io.BytesIO(content), allow_pickle=False)
            if not isinstance(priors, np.ndarray) or priors.ndim != 1:
                raise ValueError("it does not contain one number for each class")
            if not ((priors >= 0) & (priors <= 1)).all():
                raise ValueError("it contains numbers that are no frequencies")
            return priors

    def vocabulary(self) -> str | None:
        """Return the path of the vocabulary in the folder, or None.

        A run copies it at its beginning, and a published folder has it under its own name.
        """
        for name in (CLASSES, VOCABULARY):
            if self._has(name):
                return self.file(name)
        return None

    def log(self, event: str, **values: Any) -> None:
        """Append one line to metrics.jsonl."""
        plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}
        try:
            with tf.io.gfile.GFile(self.file(_LOG), "a") as f:
                f.write(json.dumps({"event": event, **plain}) + "\n")
        except tf.errors.NotFoundError:
            raise UserError(
                f"the run's folder {self.path} is no longer there: it was removed or renamed"
                " meanwhile."
            ) from None

    def logged(self) -> Iterator[dict[str, Any]]:
        """Yield the logged events, except a line that a killed process left incomplete."""
        if not self._has(_LOG):
            return
        with stored.intact(self.file(_LOG), "move it away; the run does without it."):
            lines = stored.read_bytes(self.file(_LOG)).splitlines()
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, dict) and "event" in event:
                    yield event

    def is_done(self) -> bool:
        """Return whether the run has ended, as that of a published model has."""
        return self._has(_DONE) or self._has(PUBLICATION)

    def publication(self) -> dict[str, Any] | None:
        """Return what `yt8m publish` recorded about the folder, or None if it did not make it."""
        if not self._has(PUBLICATION):
            return None
        return stored.read_object(self.file(PUBLICATION), "publish the run again.")

    def set_done(self) -> None:
        """Mark the run as ended."""
        self.write_text(_DONE, "")

    def set_going_on(self) -> None:
        """Take back that the run has ended."""
        if self._has(_DONE):
            tf.io.gfile.remove(self.file(_DONE))

    def _has(self, name: str) -> bool:
        return stored.exists(self.file(name))

    def _check_kinds(self) -> None:
        """Refuse a file where the run has a folder, or anything else where it has a file."""
        for name in _OURS if "://" not in self.path else ():
            path, is_folder = self.file(name), name in _FOLDERS
            if os.path.lexists(path) and not (os.path.isdir if is_folder else os.path.isfile)(path):
                kind = "folder" if is_folder else "regular file"
                raise UserError(
                    f"{path} is no {kind}, and a run has one of that name; remove it, or name"
                    " another --train_dir."
                )
