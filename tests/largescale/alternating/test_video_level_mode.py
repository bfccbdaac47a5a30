"""A given frame network: the video-level half fits it, whichever settings are repeated."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import new_run, with_training
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.writers import write_shard
from yt8m.errors import UserError
from yt8m.largescale.alternating import trainer
from yt8m.largescale.alternating.step_model import save_model
from yt8m.runs.build import make_model
from yt8m.runs.config import CONFIG_FILE
from yt8m.runs.folder import RunFolder
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.trained_model import TrainedModel


def config_of(pattern, arguments=(), frame_network="", names=None, name="DbofBasic"):
    schema, _ = find_schema(find_shards(pattern), names, max_frames=16, num_classes=12)
    return new_run(
        pattern,
        name,
        schema=schema,
        recipe={"batch_size": 80, "num_epochs": 1},
        arguments=arguments,
        alternation=AlternationConfig(alternation="baseline", frame_network=frame_network),
        eval_data_pattern=pattern,
        trainer="alternating",
    )


def untrained(config, folder, own=None):
    """A run whose best model is the one that it began with."""
    run = RunFolder(str(folder))
    run.write_text(CONFIG_FILE, config.to_json())
    model = dataclasses.replace(config.model, arguments={**config.model.arguments, **(own or {})})
    save_model(
        run,
        "best",
        make_model(dataclasses.replace(config, model=model)),
        own or {},
        {"gap": 0.0, "after": "step1"},
    )
    run.save_priors(np.full(config.schema.num_classes, 0.1))
    return str(folder)


@pytest.fixture
def without_training(monkeypatch):
    """Return the trainer; it leaves the video-level half's models untrained."""
    train = trainer.train
    monkeypatch.setattr(
        trainer, "train", lambda config, folder, strategy: untrained(config, folder)
    )
    return train


@pytest.fixture
def frames(small_data):
    return find_shards(small_data.pattern("validate", "frame"))[0]


def test_the_settings_of_the_frame_network_need_not_be_given_again(
    frames, tmp_path, without_training
):
    first = config_of(
        frames, {"width": 16, "num_mixtures": 2, "gate_batch_norm": False, "pooling": "max"}
    )
    groups = [
        {"classes": list(range(12)), "num_mixtures": 4}
    ]  # as step 2 leaves them; the new head has none
    network = untrained(first, tmp_path / "fn", {"groups": groups})
    config = config_of(frames, frame_network=network)
    without_training(config, str(tmp_path / "run"))
    half = (
        RunFolder(str(tmp_path / "run" / "alternation" / "video_level"))
        .load_config()
        .model.arguments
    )
    assert (half["width"], half["num_mixtures"], half["gate_batch_norm"]) == (16, 2, False)
    own = json.loads((tmp_path / "run" / "best" / "model.json").read_text())
    assert (own["width"], own["pooling"]) == (16, "max")
    assert "groups" not in own
    assert TrainedModel(str(tmp_path / "run")).model.head.num_mixtures == 2


def test_the_sample_of_the_validation_is_not_sampled_again(frames, tmp_path, without_training):
    network = untrained(config_of(frames, {"width": 16}), tmp_path / "fn")
    config = with_training(config_of(frames, frame_network=network), validate_examples=50)
    for name, sampled_before in (("new", False), ("old", True)):
        half = RunFolder(str(tmp_path / name / "alternation" / "video_level"))
        if sampled_before:  # by the first version that had --validate_examples
            half.write_text(CONFIG_FILE, config.to_json())
        without_training(config, str(tmp_path / name))
        assert half.load_config().training.validate_examples == (50 if sampled_before else 0)


@pytest.mark.parametrize(
    ("argument", "value"), [("width", 24), ("pooling", "average"), ("gate_batch_norm", False)]
)
def test_other_settings_before_the_head_are_refused_before_anything_is_made(
    argument, value, frames, tmp_path
):
    network = untrained(config_of(frames, arguments={"width": 16}), tmp_path / "fn")
    config = config_of(
        frames, arguments={"width": 16, "num_mixtures": 3, argument: value}, frame_network=network
    )
    with pytest.raises(
        UserError,
        match=rf"--frame_network: .*{argument} .* there and {value!r} here.*Drop those options",
    ):
        trainer.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.fixture
def with_embedding(frames, tmp_path):
    """The same records, each with a feature of its whole video."""
    records, rng = [], np.random.default_rng(0)
    for one in tf.data.TFRecordDataset(frames).as_numpy_iterator():
        record = tf.train.SequenceExample.FromString(one)
        record.context.feature["cdml"].float_list.value.extend(rng.normal(size=5))
        records.append(record.SerializeToString())
    write_shard(str(tmp_path / "x.tfrecord"), records)
    return str(tmp_path / "x.tfrecord")


@pytest.mark.parametrize(
    ("there", "here"), [("rgb,audio", "rgb,audio,cdml"), ("rgb,audio,cdml", "rgb,audio")]
)
def test_features_of_whole_videos_meet_the_pooled_frames(
    there, here, with_embedding, tmp_path, without_training
):
    network = untrained(
        config_of(with_embedding, {"width": 8}, names=there.split(",")), tmp_path / "fn"
    )
    config = config_of(with_embedding, frame_network=network, names=here.split(","))
    without_training(config, str(tmp_path / "run"))
    half, whole = (
        TrainedModel(str(tmp_path / "run" / "alternation" / "video_level")),
        TrainedModel(str(tmp_path / "run")),
    )
    assert half.config.schema.feature_names == ("pooled_frames", *whole.config.schema.video_names)
    assert whole.model.video_fc.weights[0].shape[0] == (13 if "cdml" in here else 8)
    pooled = find_shards(str(tmp_path / "run" / "alternation" / "pooled" / "train" / "*.tfrecord"))
    scores = []
    for trained, files in ((half, pooled), (whole, [with_embedding])):
        batches = build_dataset(files, trained.config.schema, batch_size=32)
        scores.append(np.concatenate([p for _, p in trained.predictor(32).over(batches)]))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)
