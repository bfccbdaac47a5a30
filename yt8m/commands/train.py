"""`yt8m train`: train a model, or resume its run."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.command import Command, say_next
from yt8m.commands.starter_flags import StarterModelFlags
from yt8m.flags import Section
from yt8m.models.core.recipe import Recipe
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.settings.data import DataSettings
from yt8m.runs.settings.session import SessionSettings
from yt8m.runs.settings.training import DEVICES, TrainingConfig
from yt8m.settings import setting

if TYPE_CHECKING:
    from yt8m.models.core.base import Yt8mModel


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Settings of the command that are not stored with the run's other settings."""

    model: str = setting(
        "LogisticModel", help="name of the model; see --list_models", common=True, group="Model"
    )
    train_dir: str | None = setting(
        None,
        help="folder of the run (default: runs/MODEL); the same command resumes the run",
        common=True,
        group="Data",
    )
    list_models: bool = setting(
        False,
        help=("print every model with a one-line description, and exit"),
        common=True,
        group="Model",
    )
    list_losses: bool = setting(
        False, help="print every loss with its note, and exit", group="Loss and labels"
    )
    start_new_model: bool = setting(
        False,
        help="delete the earlier run in --train_dir, and start over",
        common=True,
        group="Data",
    )
    model_option: list[str] = setting(
        (),
        help="set a constructor argument of the model; may be repeated",
        repeated=True,
        common=True,
        group="Model",
    )
    starter_defaults: bool = setting(
        False, help="use the starter code's values instead of the model's recipe", group="Model"
    )
    log_device_placement: bool = setting(
        False, help="print the device on which each operation runs", group=DEVICES
    )


def arguments_from_flags(values: FlagValues, model: type[Yt8mModel]) -> dict[str, Any]:
    """Return the constructor arguments of the model that the flags give."""
    from yt8m.commands.model_arguments import model_arguments

    command = flags.read(TrainSettings, values)
    return model_arguments(
        command.model,
        model,
        flags.given(StarterModelFlags, values),
        command.model_option,
        starter_defaults=command.starter_defaults,
        initialized=bool(values.init_from),
    )


def settings_from_flags(values: FlagValues) -> dict[str, Any]:
    """Return the settings of a run that the flags give, for `yt8m.runs.new_run.new_run`."""
    classes = (DataSettings, Recipe, TrainingConfig, AlternationConfig, SessionSettings)
    return {name: value for cls in classes for name, value in flags.given(cls, values).items()}


def main(values: FlagValues) -> int | None:
    """Turn the flags into a run's settings, and train."""
    import tensorflow as tf

    from yt8m.commands.start_run import open_devices, start_run
    from yt8m.losses import describe_losses
    from yt8m.models.core import registry
    from yt8m.runs.devices.workers import is_chief
    from yt8m.training.synthetic_sample import use_synthetic_sample

    command = flags.read(TrainSettings, values)
    if command.list_models:
        print(registry.table())
        return 0
    if command.list_losses:
        print(describe_losses())
        return 0
    model = registry.model_class(command.model)
    arguments, settings = arguments_from_flags(values, model), settings_from_flags(values)
    if command.log_device_placement:
        tf.debugging.set_log_device_placement(True)
    # Before anything touches TensorFlow's devices: workers must join their cluster first.
    train_dir = command.train_dir or os.path.join("runs", registry.own_name(command.model))
    devices = open_devices(
        command.model, settings, train_dir, command.start_new_model, command.starter_defaults
    )
    if not values.train_data_pattern:
        use_synthetic_sample(values, model.level)
        settings["max_frames"] = values.max_frames
    code = start_run(
        command.model,
        values.train_data_pattern,
        values.eval_data_pattern,
        train_dir,
        devices,
        start_new_model=command.start_new_model,
        arguments=arguments,
        starter_defaults=command.starter_defaults,
        **settings,
    )
    if not code and is_chief(devices.strategy):
        _say_next(model, train_dir, bool(values.eval_data_pattern))
    return code


def _say_next(model: type[Yt8mModel], train_dir: str, is_validated: bool) -> None:
    """Print the command that follows a training."""
    if model.task != "classification":
        say_next("train", f"--init_from={train_dir}", to_fill_in="--model=NAME --train_dir=DIR")
    elif is_validated:
        say_next("eval", f"--train_dir={train_dir}")
    else:
        say_next("eval", f"--train_dir={train_dir}", to_fill_in="--eval_data_pattern=GLOBS")


COMMAND = Command(
    about="Train a model on YouTube-8M records. The same command resumes the run. Without other"
    " flags, the model's own recipe is used.",
    usage="--model=NAME --train_data_pattern=GLOBS --eval_data_pattern=GLOBS --train_dir=DIR",
    sections=(
        Section(TrainingConfig),
        Section(SessionSettings),
        Section(TrainSettings),
        Section(Recipe, optional=True),
        Section(DataSettings),
        Section(StarterModelFlags),
        Section(AlternationConfig),
    ),
    main=main,
)
