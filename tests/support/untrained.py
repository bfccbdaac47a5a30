"""Runs with a saved but untrained model, for tests that need a model and no training."""

from __future__ import annotations

import tensorflow as tf

from tests.support.runs import begun
from yt8m.runs.build import make_model
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import BEST, WEIGHTS
from yt8m.runs.save import save_weights


def save_untrained(config: RunConfig, folder) -> str:
    """Make a run folder with a model of random weights; return its path."""
    run = begun(config, folder)
    tf.keras.utils.set_random_seed(0)
    save_weights(make_model(config), run.file(BEST, WEIGHTS))
    return run.path
