"""One declaration makes the flag, the check, the help and what may change on resume."""

import dataclasses
import re

import pytest

from tests.support.commands import train_flags
from yt8m import flags
from yt8m.analysis.settings import AnalysisSettings
from yt8m.commands import analyse, evaluate, fuse, predict, train
from yt8m.errors import UserError
from yt8m.flags import Section
from yt8m.fusion.settings import FusionSettings
from yt8m.models.core.recipe import Recipe
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.settings.data import DataSettings
from yt8m.runs.settings.training import TrainingConfig
from yt8m.settings import check, may_change, setting, settings_of

COMMANDS = {m.__name__: m.COMMAND for m in (train, evaluate, predict, fuse, analyse)}
CLASSES = sorted(
    {s.settings for c in COMMANDS.values() for s in c.sections}, key=lambda cls: cls.__name__
)


@dataclasses.dataclass(frozen=True)
class Example:
    rate: float = setting(0.5, help="a rate", above=0, at_most=1, may_change=True)
    count: int = setting(3, help="a count", at_least=2)
    name: str = setting("a", help="a name", choices=("a", "bee"), common=True)
    kind: str = setting("all", help="a switch", switch=("all", "few"), flag="few", group="Kinds")
    size: int | None = setting(None, help="a size")
    parts: tuple = setting((), help="parts")


def example(*arguments):
    values = flags.define([Section(Example)])
    flags.parse(values, arguments)
    return values


def test_flags_have_the_fields_types_and_defaults():
    assert flags.read(Example, example()) == Example(parts=[])
    given = example("--rate=1", "--count=2", "--name=bee", "--few", "--size=4", "--parts=x,y")
    assert flags.read(Example, given) == Example(1.0, 2, "bee", "few", 4, ["x", "y"])
    assert flags.given(Example, example("--nofew")) == {"kind": "all"}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--rate=0", "--rate=0: expected a number above 0 and at most 1"),
        ("--rate=nan", "--rate=nan: expected a number above 0"),
        ("--count=1", "--count=1: expected a whole number of at least 2"),
        ("--name=be", "--name=be: expected one of a, bee. Did you mean bee?"),
        ("--count=x", "count"),
        ("--cuont=3", "cuont.*count"),
        ("three", "three.*every option is a flag"),
    ],
)
def test_values_that_are_not_allowed_are_refused(argument, message):
    with pytest.raises(UserError, match=message):
        flags.read(Example, example(argument))


def test_a_dataclass_made_in_python_is_checked_like_flags():
    check(Example())
    with pytest.raises(UserError, match="--count=0: expected a whole number of at least 2"):
        check(Example(count=0))


def test_help_shows_the_common_flags_first_and_then_the_groups():
    text = flags.help_text("run --name=a", "Run it.", [Section(Example)])
    order = [text.index(part) for part in ("Usage: run", "--name", "--rate", "Kinds:", "--[no]few")]
    assert order == sorted(order)
    assert "a rate (default: 0.5)" in text
    assert "a name: a, bee (default: a)" in text


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_setting_is_declared_and_its_default_is_allowed(cls):
    declared = settings_of(cls)
    assert set(declared) == {f.name for f in dataclasses.fields(cls)}
    assert all(s.help and s.help[0] != " " for s in declared.values())
    assert all(s.switch or s.allows(s.flag_default) for s in declared.values())


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_zero_is_allowed_where_the_help_says_what_it_means(cls):
    says = re.compile(r"(?<![\w.-])0(:| means| is | turns)")
    meant = {name: s for name, s in settings_of(cls).items() if says.search(s.help)}
    assert [name for name, s in meant.items() if not s.allows(0)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_about_a_dozen_flags_and_is_no_wider_than_a_screen(name):
    command = COMMANDS[name]
    common = [s for section in command.sections for s in section.flags() if s.common]
    assert 5 <= len(common) <= 13
    text = flags.help_text(command.usage, command.about, command.sections)
    assert all(len(line) <= 110 for line in text.splitlines()[2:])


def test_what_a_resumed_run_may_change_is_what_does_not_change_what_it_learns():
    classes = {"recipe": Recipe, "training": TrainingConfig, "alternation": AlternationConfig}
    assert may_change(classes) == {
        "alternation.executor", "alternation.shared_store",
        "alternation.shared_store_cache_gb", "alternation.task_minutes", "recipe.num_epochs",
        "training.cache", "training.cache_dir", "training.cache_gb",
        "training.checkpoint_minutes", "training.eval_batch_size",
        "training.export_model_steps", "training.keep_checkpoints", "training.max_bad_records",
        "training.max_steps", "training.min_gain", "training.num_gpu", "training.num_readers",
        "training.patience", "training.progress_seconds", "training.steps_per_call",
        "training.strategy", "training.validate_every_minutes",
    }  # fmt: skip


def test_a_recipe_flag_that_is_not_given_leaves_the_models_recipe():
    assert flags.given(Recipe, train_flags()) == {}
    given = flags.given(Recipe, train_flags("--iterations=5", "--nosample_random_frames"))
    assert given == {"train_frames": 5, "frame_sampling": "contiguous"}


def test_classes_by_number_and_by_release_must_agree():
    assert DataSettings(release="v3").classes() == 3862
    assert DataSettings(num_classes=3862, release="v3").classes() == 3862
    with pytest.raises(UserError, match="--num_classes=5, but --release=v3 has 3862 classes"):
        DataSettings(num_classes=5, release="v3").classes()
    with pytest.raises(UserError, match="--feature_sizes=a,b: expected whole numbers"):
        DataSettings(feature_sizes="a,b").sizes()
    with pytest.raises(UserError, match="--feature_names=rgb,rgb: one feature is named twice"):
        DataSettings(feature_names="rgb,rgb").names()


def test_required_settings_have_an_empty_flag():
    assert settings_of(AnalysisSettings)["data_pattern"].flag_default == ""
    assert settings_of(FusionSettings)["inputs"].kind is list
