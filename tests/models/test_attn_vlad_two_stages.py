"""AttnVLAD in two stages: a new head on features that were trained before and no longer move."""

import numpy as np
import pytest

from tests.support.runs import metrics_of, run_config
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.load import load_run
from yt8m.training.trainer import train

SMALL = {
    "num_classes": 4,
    "feature_sizes": (5, 2),
    "num_centers": 3,
    "projection_size": 4,
    "attention_size": 3,
}


def features(model):
    return {
        f"{layer.name}/{i}": w
        for layer in (model.project, model.vlad)
        for i, w in enumerate(layer.get_weights())
    }


def test_the_second_stage_trains_the_head_alone(small_data, tmp_path):
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    train(run_config(small_data, "AttnVLAD", epochs=2, arguments={"head": "logistic"}), first)
    config = run_config(
        small_data,
        "AttnVLAD",
        epochs=2,
        arguments={"freeze_vlad": True},
        recipe={"weight_average": 0.9},
        init_from=first,
    )
    train(config, second)
    _, one, _ = load_run(first, "--train_dir")
    _, two, _ = load_run(second, "--train_dir")
    before, after = features(one), features(two)
    assert len(before) == 7
    assert sorted(before) == sorted(after)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    assert len(two.trainable_variables) == len(two.head.trainable_variables) == 3
    gaps = [metrics_of(tmp_path / run)["gap"] for run in ("first", "second")]
    assert gaps[1] > gaps[0] - 0.05


def test_without_the_first_stage_the_second_is_refused(small_data, tmp_path):
    with pytest.raises(UserError, match="needs --init_from=RUN_DIR: freeze_vlad"):
        train(
            run_config(small_data, "AttnVLAD", epochs=1, arguments={"freeze_vlad": True}),
            str(tmp_path),
        )


def test_features_of_another_size_are_refused():
    other = registry.create("AttnVLAD", **{**SMALL, "num_centers": 5}).build_weights()
    model = registry.create("AttnVLAD", **SMALL, freeze_vlad=True).build_weights()
    with pytest.raises(UserError, match="num_centers 5 there and 3 here"):
        model.initialize_from(other)
    with pytest.raises(UserError, match="a run of MoeModel, and AttnVladModel"):
        model.initialize_from(
            registry.create("MoeModel", num_classes=4, feature_sizes=(5, 2)).build_weights()
        )
