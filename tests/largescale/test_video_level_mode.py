"""A frame network that is kept: what follows it fits it, whichever of its settings are given again."""

import dataclasses
import json

import numpy as np
import pytest

from yt8m.alternation_config import AlternationConfig
from yt8m.config import CONFIG_FILE, ModelConfig, RunConfig, TrainingConfig
from yt8m.data.inspect import find_schema
from yt8m.data.sources import find_shards
from yt8m.errors import UserError
from yt8m.evaluation.trained_model import TrainedModel
from yt8m.largescale import alternate
from yt8m.largescale.handoff import save_model
from yt8m.models import registry
from yt8m.training.prepare import make_model
from yt8m.training.run_folder import RunFolder


def config_of(pattern, arguments=(), frame_network="", names=None, name="DbofBasic"):
    schema, _ = find_schema(find_shards(pattern), names, max_frames=16, num_classes=12)
    return RunConfig(
        schema,
        ModelConfig(name, dict(arguments)),
        registry.model_class(name).recipe.updated({"batch_size": 80, "num_epochs": 1}),
        TrainingConfig(pattern, eval_data_pattern=pattern, trainer="alternating", progress_seconds=1e9),
        alternation=AlternationConfig(alternation="baseline", frame_network=frame_network),
    )


def untrained(config, folder, own=None):
    """A run whose best model is the one that it began with."""
    run = RunFolder(str(folder))
    run.write_text(CONFIG_FILE, config.to_json())
    model = dataclasses.replace(config.model, arguments={**config.model.arguments, **(own or {})})
    save_model(run, "best", make_model(dataclasses.replace(config, model=model)), own or {}, {"gap": 0.0, "after": "step1"})
    run.save_priors(np.full(config.schema.num_classes, 0.1))
    return str(folder)


@pytest.fixture
def without_training(monkeypatch):
    """The alternation in which the video-level half's own is left out; its models are as they begin."""
    train = alternate.train
    monkeypatch.setattr(alternate, "train", lambda config, folder, strategy: 0 if untrained(config, folder) else 1)
    return train


@pytest.fixture
def frames(small_data):
    return find_shards(small_data.pattern("validate", "frame"))[0]


def test_the_settings_of_the_frame_network_need_not_be_given_again(frames, tmp_path, without_training):
    first = config_of(frames, {"width": 16, "num_mixtures": 2, "gate_batch_norm": False, "pooling": "max"})
    groups = [{"classes": list(range(12)), "num_mixtures": 4}]  # as step 2 leaves them; the new head has none
    network = untrained(first, tmp_path / "fn", {"groups": groups})
    config = config_of(frames, frame_network=network)
    assert without_training(config, str(tmp_path / "run")) == 0
    half = RunFolder(str(tmp_path / "run" / "alternation" / "video_level")).load_config().model.arguments
    assert (half["width"], half["num_mixtures"], half["gate_batch_norm"]) == (16, 2, False)
    own = json.loads((tmp_path / "run" / "best" / "model.json").read_text())
    assert (own["width"], own["pooling"]) == (16, "max") and "groups" not in own
    assert TrainedModel(str(tmp_path / "run")).model.head.num_mixtures == 2


@pytest.mark.parametrize("argument, value", [("width", 24), ("pooling", "average"), ("gate_batch_norm", False)])
def test_other_settings_before_the_head_are_refused_before_anything_is_made(argument, value, frames, tmp_path):
    network = untrained(config_of(frames, arguments={"width": 16}), tmp_path / "fn")
    config = config_of(frames, arguments={"width": 16, "num_mixtures": 3, argument: value}, frame_network=network)
    with pytest.raises(UserError, match=rf"--frame_network: .*{argument} .* there and {value!r} here.*Drop those options"):
        alternate.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
