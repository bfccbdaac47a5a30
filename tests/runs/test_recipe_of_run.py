"""A new run is made long enough, and a run that is resumed keeps the recipe that it began with."""

import dataclasses

import pytest

from tests.support.commands import refused, run_command
from tests.support.every_model import every_model
from tests.support.runs import run_config
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.models.core.recipe import Recipe
from yt8m.models.video.logistic import LogisticModel
from yt8m.runs.config import RunConfig, check_same_run
from yt8m.runs.folder import RunFolder
from yt8m.runs.new_run import new_run
from yt8m.runs.settings.recipe_of_run import long_enough, mixable


@pytest.fixture
def videos(small_data):
    return small_data.pattern("train", "video")


@pytest.fixture
def recipe(monkeypatch):
    """A recipe of `LogisticModel` whose epochs are too few."""
    made = Recipe(batch_size=50, num_epochs=3, least_steps=50)
    monkeypatch.setattr(LogisticModel, "recipe", made)
    return made


def test_epochs_are_added_until_the_steps_are_enough():
    recipe = Recipe(batch_size=10, num_epochs=4, least_steps=25)
    longer, line = long_enough(recipe, 39)  # 3 steps
    assert longer == dataclasses.replace(recipe, num_epochs=9)
    assert line == "3 steps an epoch: 9 epochs instead of 4, for at least 25 steps"
    assert long_enough(recipe, 70) == (recipe, "")  # 28 steps are enough
    assert long_enough(recipe, 9) == (recipe, "")  # no step at all, which is refused elsewhere


def test_a_new_run_is_as_long_as_its_recipe_needs_and_says_so(videos, recipe):
    made = new_run("LogisticModel", videos)
    in_epoch = made.config.facts["records"] // 50
    epochs = made.config.recipe.num_epochs
    assert in_epoch * (epochs - 1) < 50 <= in_epoch * epochs
    assert f"{epochs} epochs instead of 3, for at least 50 steps" in made.found


@pytest.mark.parametrize("given", [{"num_epochs": 3}, {"max_steps": 9}, {"least_steps": 0}])
def test_a_given_length_is_obeyed(given, videos, recipe):
    made = new_run("LogisticModel", videos, **given)
    assert made.config.recipe.num_epochs == 3
    assert "instead of" not in made.found


@pytest.mark.parametrize("name", every_model())
def test_every_recipe_is_read_again(name, small_data):
    """A stored setting may have each of its choices, also those that no flag stands for."""
    config = run_config(small_data, name)
    config = dataclasses.replace(config, recipe=registry.model_class(name).recipe)
    assert RunConfig.from_json(config.to_json()) == config


def test_a_recipe_with_mixup_does_without_where_videos_cannot_be_mixed(videos, monkeypatch):
    recipe = Recipe(batch_size=50, mixup=0.5)
    monkeypatch.setattr(LogisticModel, "recipe", recipe)
    assert new_run("LogisticModel", videos).config.recipe.mixup == 0.5
    made = new_run("LogisticModel", videos, label_loss="SoftmaxLoss")
    assert made.config.recipe.mixup == 0.0
    assert "no mixup, which needs" in made.found
    assert new_run("LogisticModel", videos, mixup=0.1).config.recipe.mixup == 0.1
    assert mixable(recipe, LogisticModel, "joint", segments=False) == (recipe, "")
    assert mixable(recipe, LogisticModel, "joint", segments=True)[0].mixup == 0.0
    assert mixable(recipe, LogisticModel, "alternating", segments=False)[0].mixup == 0.0


def test_the_starter_code_has_no_least_steps(videos, recipe):
    made = new_run("LogisticModel", videos, starter_defaults=True, batch_size=50)
    assert (made.config.recipe.num_epochs, made.config.recipe.least_steps) == (5, 0)


@pytest.mark.parametrize("length", ["--num_epochs=2", "--max_steps=2"])
def test_least_steps_beside_a_length_are_refused(length, videos):
    message = refused("train", f"--train_data_pattern={videos}", "--least_steps=9", length)
    assert f"--least_steps=9 has no effect, because {length} sets the length" in message


def test_the_same_command_resumes_the_longer_run(videos, recipe, tmp_path):
    command = ("train", f"--train_data_pattern={videos}", f"--train_dir={tmp_path}")
    began = run_command(*command)
    assert began.code == 0, began.err
    stored = RunFolder(str(tmp_path)).load_config().recipe
    assert stored.num_epochs > 3
    assert "is already done" in run_command(*command).out
    assert RunFolder(str(tmp_path)).load_config().recipe == stored


def test_a_run_keeps_the_recipe_that_it_began_with(videos, recipe):
    began = new_run("LogisticModel", videos, base_learning_rate=0.3, num_epochs=2).config
    again = new_run("LogisticModel", videos, before=began).config
    assert check_same_run(began, again, "run") is None
    other = new_run("LogisticModel", videos, before=began, base_learning_rate=0.2).config
    with pytest.raises(UserError, match=r"base_learning_rate: the run has 0\.3"):
        check_same_run(began, other, "run")
    starter = new_run(
        "LogisticModel", videos, before=began, starter_defaults=True, batch_size=50
    ).config
    with pytest.raises(UserError, match=r"other settings(.|\n)*Give the run's values"):
        check_same_run(began, starter, "run")


def test_a_small_training_set_gets_small_batches(small_data):
    few = small_data.pattern("validate", "video")  # 160 videos

    def batch(**more):
        return new_run("MoeModel", few, **more).config.recipe.batch_size

    assert batch() == 16
    assert batch(batch_size=100) == 100
    assert new_run("MoeModel", small_data.pattern("train", "video")).config.recipe.batch_size == 512
    with pytest.raises(UserError, match=r"--batch_size=512 is larger than .* records, 160"):
        batch(batch_size=512)
    with pytest.raises(UserError, match="is larger than"):
        batch(starter_defaults=True)


def test_a_new_run_records_the_arguments_of_its_recipe(small_data, tmp_path):
    frames = small_data.pattern("train", "frame")

    def arguments(**more):
        return new_run("GruModel", frames, batch_size=50, **more).config.model.arguments

    assert arguments() == {"input_norm": "none"}
    assert arguments(arguments={"cells": 9, "input_norm": "l2"}) == {"cells": 9, "input_norm": "l2"}
    assert arguments(starter_defaults=True) == {}
    # A run that began before the recipe had arguments, which has the constructor's default.
    earlier = new_run("GruModel", frames, batch_size=50, starter_defaults=True).config
    assert arguments(before=earlier) == {}
    (tmp_path / "config.json").write_text(earlier.to_json())
    assert arguments(init_from=str(tmp_path)) == {}
