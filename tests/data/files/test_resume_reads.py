"""A run stopped in mid-epoch opens only shards that it has not finished, and ends the same."""

import json

import h5py
import numpy as np

from tests.support.bucket import requests
from tests.support.records import Maker
from tests.support.runs import begun, new_run, stop_at
from yt8m import listing
from yt8m.training.trainer import Trainer, train


def weights(folder):
    """Return the weights of a run's last model."""
    found = []
    with h5py.File(folder / "last" / "model.weights.h5") as file:
        file.visititems(lambda _, x: found.append(x[()]) if isinstance(x, h5py.Dataset) else None)
    return found


def test_the_finished_shards_are_not_opened(tmp_path):
    Maker(tmp_path).shards("video", 800, 80)
    config = new_run(
        f"file://{tmp_path}/video*.tfrecord",
        "LogisticModel",
        schema=Maker.video,
        recipe={"batch_size": 20, "num_epochs": 1},
        shuffle_buffer=32,
    )
    train(config, str(tmp_path / "whole"))
    stopped = tmp_path / "stopped"
    stop_at(Trainer(config, begun(config, stopped)), 30)  # of 40 steps
    kept = json.loads((stopped / "checkpoints" / "shards-0-of-1.json").read_text())
    assert kept["position"] == [0, 600]
    with listing.asked_once():
        trainer = Trainer(config, begun(config, stopped))
        with requests() as asked:
            trainer.train()
    shards = {path for name, path in asked.asked if path.endswith(".tfrecord")}
    assert 20 <= len(shards) < 45
    for ours, theirs in zip(weights(stopped), weights(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
