"""A model that reconstructs frames is trained on its own loss, and predicts no labels."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import losses_of, metrics_of, run_config
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.evaluation.evaluate import MeanLoss
from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.pooling.frames import FramePooling
from yt8m.models.core import registry
from yt8m.models.core.base import ReconstructionModel
from yt8m.runs.bundle import write_bundle
from yt8m.runs.load import load_run
from yt8m.runs.trained_model import TrainedModel
from yt8m.training.trainer import train


class MeanFrame(ReconstructionModel):
    """Predicts a video's mean frame by one vector, the same for every video."""

    def __init__(self, num_classes, feature_sizes=(1024, 128), **kwargs):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.dequantize, self.pool = DequantizeFrames("none"), FramePooling()
        self.guess = tf.keras.layers.Dense(
            self.feature_size, use_bias=False, kernel_initializer="zeros"
        )

    def call(self, inputs, training=None):
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        mean = self.pool(x, mask=mask)
        return tf.reduce_sum(tf.square(mean - self.guess(tf.ones([1, 1]))), axis=-1)


@pytest.fixture
def reconstruction(monkeypatch):
    registry.list_models()
    monkeypatch.setitem(registry._MODELS, "MeanFrame", MeanFrame)


def test_it_is_listed_apart(reconstruction):
    assert "MeanFrame" not in registry.list_models()
    assert "MeanFrame" in registry.list_models(task="reconstruction")
    assert "MeanFrame" in registry.list_models(task=None)
    assert "[reconstruction]" in next(
        line for line in registry.table().splitlines() if line.startswith("MeanFrame")
    )


@pytest.mark.parametrize("strategy", ["one", "mirrored"])
def test_the_lowest_loss_over_every_example_is_kept(reconstruction, small_data, tmp_path, strategy):
    tf.distribute.MirroredStrategy._collective_key_base += 1000
    recipe = {"base_learning_rate": 0.001, "schedule": "constant"}
    config = run_config(
        small_data, "MeanFrame", epochs=3, recipe=recipe, eval_batch_size=64, strategy=strategy
    )
    train(config, str(tmp_path))
    losses = losses_of(tmp_path)
    assert losses[-1] < 0.99 * losses[0]
    best = metrics_of(tmp_path)
    assert best["loss"] == pytest.approx(min(losses))
    assert best["num_examples"] == 160
    assert "gap" not in best
    _, model, _ = load_run(str(tmp_path), "--train_dir")
    batches = build_dataset(
        find_shards(config.training.eval_data_pattern), config.schema, batch_size=7
    )
    each = np.concatenate([model(model.select_inputs(b), training=False) for b in batches])
    assert each.mean() == pytest.approx(best["loss"], rel=1e-4)


def test_what_predicts_labels_refuses_it(reconstruction, small_data, tmp_path):
    train(run_config(small_data, "MeanFrame", epochs=1), str(tmp_path))
    with pytest.raises(UserError, match="MeanFrame trained for reconstruction"):
        TrainedModel(str(tmp_path))
    with pytest.raises(UserError, match="--init_from"):
        write_bundle(str(tmp_path), str(tmp_path / "model.tgz"))


def test_a_mean_loss_of_nothing_is_refused():
    mean = MeanLoss()
    with pytest.raises(UserError, match="no example"):
        mean.result()
    mean.update(np.zeros(3, np.float32))
    with pytest.raises(UserError, match=r"none of the 3 videos.*clip_size"):
        mean.result()
    mean.update(np.array([1.0], np.float32))
    assert mean.result() == {"loss": 0.25, "num_examples": 4}
