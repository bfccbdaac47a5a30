"""Exported models of small runs, and the predictions that they must agree with."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import run_config
from tests.support.untrained import save_untrained
from yt8m.data.files.shards import find_shards
from yt8m.models.core import registry
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.predict import predict


class Collected:
    """A destination of scores that keeps them."""

    def __init__(self):
        self.ids, self.scores = [], []

    def check_ids(self, ids):
        """Take every id."""

    def write(self, ids, scores):
        self.ids += ids
        self.scores += list(scores)


def inference(folder, pattern, segments=False, **options):
    """Return the ids and scores [N, K] that `yt8m predict` writes for a run."""
    trained, found = TrainedModel(folder, segment_labels=segments), Collected()
    predict(trained, pattern, [found], say=lambda _: None, **options)
    return found.ids, np.array(found.scores)


def payloads(pattern):
    """Return the serialised records of a pattern."""
    return [r.numpy() for r in tf.data.TFRecordDataset(find_shards(pattern))]


def in_fresh_process(code, *arguments):
    """Run Python code without this package or its folder on the path; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def run_of(small_data, tmp_path):
    """Return a function that makes a run of an untrained model, and returns its folder."""

    def make(name, **more):
        return save_untrained(run_config(small_data, name, **more), tmp_path / name)

    return make


@pytest.fixture
def records_of(small_data):
    """Return the pattern of the test records that a model reads."""
    return lambda name: small_data.pattern("test", registry.model_class(name).level)
