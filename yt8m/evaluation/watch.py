"""Evaluation of each model that a run saves while it trains."""

from __future__ import annotations

import os
import time
from typing import Any, Callable

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.files import read_text
from yt8m.locks import Locked
from yt8m.runs.folder import METRICS, RunFolder
from yt8m.runs.load import weights_file


def watch(train_dir: str, evaluate_once: Callable[[], Any], poll_seconds: float = 10.0) -> None:
    """Call `evaluate_once` whenever the run in `train_dir` saves a new model, until the run ends.

    A run that was killed cannot be distinguished from a slow one; interrupt this call by hand then.

    Raises:
      UserError: the folder does not exist.
    """
    run, seen = RunFolder(train_dir), None
    if not tf.io.gfile.isdir(run.path):
        run.load_config()  # raises the error
    if not run.exists() or not _stamp(run):
        print(f"waiting for the first model of the run in {train_dir}", flush=True)
    while True:
        # The order matters: a model saved just before the end must still be seen.
        ended = run.is_done()
        stamp = _stamp(run)
        if stamp is not None and stamp != seen:
            try:
                evaluate_once()
                seen = stamp
            except Locked as busy:  # by an evaluation that somebody has started by hand
                print(f"{busy} Trying again.", flush=True)
                ended = False
        if ended:
            return
        time.sleep(poll_seconds)


def _stamp(run: RunFolder) -> str | None:
    """Return a string that changes with each model that a run saves; None before the first."""
    try:
        # A run writes these metrics, which name the step, after the weights. The modification time
        # of a file is too coarse to distinguish two models.
        return read_text(os.path.join(os.path.dirname(weights_file(run)), METRICS))
    except (UserError, tf.errors.NotFoundError):
        return None
