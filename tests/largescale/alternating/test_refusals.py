"""What an alternation refuses, before it deletes or computes anything."""

import dataclasses

import pytest
import tensorflow as tf

from tests.support.alternations import Killed, config_of, dies_at
from yt8m.errors import UserError
from yt8m.largescale.alternating import trainer
from yt8m.runs.config import ModelConfig


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "LogisticModel"}, "--model=LogisticModel does not; these do: DbofBasic"),
        ({"training": {"eval_data_pattern": ""}}, "needs --eval_data_pattern"),
        ({"training": {"patience": 2}}, "--patience and --min_gain apply to --trainer=joint"),
        (
            {"settings": {"batch_fraction": 0.0}},
            "--batch_fraction=0: expected a number above 0 and at most 1",
        ),
        (
            {"settings": {"step3_initial_delta": 20.0}},
            "--step3_initial_delta=20: expected a number above 0 and at most 10",
        ),
        ({"settings": {"task_minutes": 0.0}}, "--task_minutes=0: expected a number above 0"),
        (
            {"settings": {"step3_optimizer": "adam", "batch_fraction": 0.5}},
            "--batch_fraction=0.5 cannot be combined with --step3_optimizer=adam",
        ),
        (
            {"recipe": {"label_loss": "SoftmaxLoss"}},
            "--label_loss=SoftmaxLoss is not a sum over classes",
        ),
        ({"settings": {"frame_network": "x"}}, "--frame_network is for DbofBasic"),
    ],
)
def test_what_cannot_be_alternated_is_refused(change, said, small_data, tmp_path):
    config = config_of(small_data)
    config = dataclasses.replace(
        config,
        model=ModelConfig(change.get("name", config.model.name), {}),
        training=dataclasses.replace(config.training, **change.get("training", {})),
        recipe=dataclasses.replace(config.recipe, **change.get("recipe", {})),
        alternation=dataclasses.replace(config.alternation, **change.get("settings", {})),
    )
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        trainer.train(config, str(tmp_path))
    assert not (tmp_path / "config.json").exists()


def test_workers_are_refused_before_an_earlier_run_is_deleted(small_data, tmp_path):
    class Workers(tf.distribute.MultiWorkerMirroredStrategy):
        """A multi-worker strategy without a cluster."""

        def __init__(self):
            pass

    config = config_of(small_data)
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(UserError, match="not by --strategy=multi_worker"):
        trainer.train(config, str(tmp_path), start_new_model=True, strategy=Workers())
    assert (tmp_path / "config.json").exists()


def test_a_refused_attempt_does_not_prevent_the_next(small_data, tmp_path, monkeypatch):
    config = config_of(small_data, alternation="baseline")
    large = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, batch_size=5000))
    with pytest.raises(UserError, match="--batch_size=5000"):
        trainer.train(large, str(tmp_path))
    dies_at(monkeypatch, trainer.joint_step, "run", 1)
    with pytest.raises(Killed):  # it has come to step 1
        trainer.train(config, str(tmp_path))


def test_other_settings_of_the_alternation_are_refused(full, small_data):
    with pytest.raises(UserError, match=r"alternation.max_experts: the run has 6, the flags say 7"):
        trainer.train(config_of(small_data, max_experts=7), str(full))
