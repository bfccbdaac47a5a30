"""The settings of a new run, from a model's name, the records and any given settings."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from yt8m.data.features.report import cut_off
from yt8m.data.files.count import count, lost_ends
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.num_classes import UnknownClasses
from yt8m.data.records.ratings import segments_a_record
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError, near_misses
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.models.core.recipe import Recipe
from yt8m.runs import build
from yt8m.runs.config import ModelConfig, RunConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.inputs.norm import with_input_norm
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.settings.data import DataSettings
from yt8m.runs.settings.recipe_of_run import (
    arguments_of_run,
    check_length,
    long_enough,
    mixable,
    recipe_of_run,
    small_enough,
)
from yt8m.runs.settings.session import Session, SessionSettings
from yt8m.runs.settings.training import TrainingConfig
from yt8m.settings import check, settings_of

_CLASSES: tuple[type, ...] = (
    DataSettings,
    Recipe,
    TrainingConfig,
    AlternationConfig,
    SessionSettings,
)


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The settings of a run before its records are read."""

    data: DataSettings
    recipe: Recipe
    training: TrainingConfig
    alternation: AlternationConfig | None
    session: Session


@dataclasses.dataclass(frozen=True)
class NewRun:
    """A run that has not begun.

    Attributes:
      config: its settings.
      found: a line that says what the records contain, and another one if the recipe was given
        more epochs for them.
    """

    config: RunConfig
    found: str


def new_run(
    model: str,
    train_data: str,
    eval_data: str = "",
    arguments: Mapping[str, Any] | None = None,
    starter_defaults: bool = False,
    before: RunConfig | None = None,
    **settings: Any,
) -> NewRun:
    """Return a new run's settings; the schema is read from the records.

    Args:
      model: registered name or alias.
      train_data: comma-separated glob patterns of the training records.
      eval_data: those of the validation records; empty for none.
      arguments: arguments of the model's constructor.
      starter_defaults: use the starter code's values in place of the model's recipe.
      before: the run that is resumed, which has what neither settings nor records say.
      **settings: any setting of `DataSettings`, `Recipe`, `TrainingConfig`, `AlternationConfig` or
        `SessionSettings`; each is also the train.py flag of that name.

    Raises:
      UserError: a setting is unknown or out of bounds, or the records do not match the model.
    """
    cls = registry.model_class(model)
    chosen = choose(cls, starter_defaults, settings, before)
    training = dataclasses.replace(
        chosen.training, train_data_pattern=train_data, eval_data_pattern=eval_data
    )
    files = find_shards(train_data)
    by_teacher_alone = bool(training.teacher_scores) and training.teacher_weight == 1.0
    schema, found = _schema(
        files,
        chosen.data,
        training.vocabulary_file,
        before.schema if before else None,
        labelled=cls.task == "classification" and not by_teacher_alone,
    )
    build.check_level(model, schema)
    counted = count(files)
    records, exact = counted.records, counted.exact
    recipe, smaller, longer, unmixed = chosen.recipe, "", "", ""
    given_size = settings.get("batch_size") or starter_defaults or schema.segment_labels
    if exact and before is None and not given_size:
        recipe, smaller = small_enough(recipe, records)
    if exact:
        build.check_batch_size(recipe, records, schema)
    if before is None and not (settings.get("num_epochs") or training.max_steps):
        examples = records * segments_a_record(files) if schema.segment_labels else records
        recipe, longer = long_enough(recipe, round(examples))
    if before is None and settings.get("mixup") is None:
        recipe, unmixed = mixable(recipe, cls, training.trainer, schema.segment_labels)
    given, about_norm = with_input_norm(
        cls,
        arguments or {},
        chosen.data.input_norm,
        files,
        schema,
        starter_defaults,
        before,
        _sources(chosen),
    )
    eval_files = find_shards(eval_data, "--eval_data_pattern") if eval_data else []
    # The end of the first epoch corrects it.
    estimated = {} if exact and not schema.segment_labels else {"records_estimated": True}
    config = RunConfig(
        schema=schema,
        model=ModelConfig(
            registry.own_name(model),
            _arguments(cls, given, starter_defaults, before, training.init_from),
        ),
        recipe=recipe,
        training=training,
        alternation=chosen.alternation,
        session=chosen.session,
        facts={**build.facts(files, eval_files), "records": records, **estimated},
    )
    about = "" if exact else "about "
    cut = cut_off(files, schema) if before is None else ""
    line = f"{found}; {len(files)} files, {about}{records:,} records"
    lines = (line, *lost_ends(counted), cut, smaller, longer, unmixed, about_norm)
    return NewRun(config, "\n".join(filter(None, lines)))


def _arguments(
    model: type[Yt8mModel],
    given: Mapping[str, Any],
    starter_defaults: bool,
    before: RunConfig | None,
    init_from: str,
) -> dict[str, Any]:
    """Return the arguments of the model; weights that it starts from want the inputs they had."""
    if starter_defaults or not model.recipe_arguments:
        return dict(given)
    if before is None and init_from:
        other = RunFolder(init_from).load_config("--init_from")
        before = other if registry.model_class(other.model.name) is model else None
    return arguments_of_run(model, given, before.model.arguments if before else None)


def _sources(chosen: Chosen) -> dict[str, str]:
    """Return flag -> folder of each run whose weights a new one builds on, or ""."""
    own = chosen.alternation
    return {
        "--init_from": chosen.training.init_from,
        "--step1_from": own.step1_from if own else "",
        "--frame_network": own.frame_network if own else "",
    }


def _schema(
    files: list[str],
    data: DataSettings,
    vocabulary_file: str,
    before: RecordSchema | None,
    labelled: bool,
) -> tuple[RecordSchema, str]:
    """Return the schema of the records, and its description.

    A run that began before its release was recognized keeps its maximum number of frames, and one
    that began when every data set was taken for a release keeps its number of classes. So does one
    keep its features that began when all features of video-level records were read.
    """
    max_frames = data.max_frames
    if before and before.segment_labels == data.segment_labels and max_frames is None:
        max_frames = before.max_frames
    find = functools.partial(
        find_schema,
        files,
        feature_names=data.names() or (before.all_names if before else None),
        feature_sizes=data.sizes() or (before.all_sizes if before and not data.names() else None),
        segment_labels=data.segment_labels,
        frame_features=data.frame_features,
        max_frames=max_frames,
        vocabulary_file=vocabulary_file,
        frames_as=before.frames_as if before and before.float_frames else None,
        of_run=before is not None and not (data.names() or data.sizes()),
        labelled=labelled,
    )
    try:
        return find(num_classes=data.classes())
    except UnknownClasses:
        if before is None:
            raise
        return find(num_classes=before.num_classes, num_classes_from="as in the run")


def choose(
    model: type[Yt8mModel],
    starter_defaults: bool,
    settings: Mapping[str, Any],
    before: RunConfig | None = None,
) -> Chosen:
    """Return all settings of a run; the model's recipe and the defaults fill in those not given.

    Args:
      model: class of the model.
      starter_defaults: use the starter code's values in place of the model's recipe.
      settings: see `new_run`.
      before: the run that is resumed.

    Raises:
      UserError: a setting is unknown or out of bounds, or has no effect.
    """
    split = _by_class(settings)
    trainer = split[TrainingConfig].get("trainer", "auto")
    if trainer == "auto":
        trainer = model.trainer
    training = {"train_data_pattern": "", **split[TrainingConfig], "trainer": trainer}
    if training.get("dtype") == "auto":
        del training["dtype"]  # Where the devices count, `open_devices` has chosen by now.
    chosen = Chosen(
        data=DataSettings(**split[DataSettings]),
        recipe=recipe_of_run(
            model, starter_defaults, split[Recipe], before.recipe if before else None
        ),
        training=TrainingConfig(**training),
        alternation=_alternation(trainer, split[AlternationConfig]),
        session=Session(**split[SessionSettings]),
    )
    for part in (chosen.data, chosen.recipe, chosen.training, chosen.session):
        check(part)
    check_length(split[Recipe], chosen.training.max_steps)
    return chosen


def _by_class(settings: Mapping[str, Any]) -> dict[type, dict[str, Any]]:
    """Return the settings, grouped by the dataclass that declares them."""
    owner = {name: cls for cls in _CLASSES for name in settings_of(cls)}
    split: dict[type, dict[str, Any]] = {cls: {} for cls in _CLASSES}
    for name, value in settings.items():
        if name not in owner:
            raise UserError(f"{name!r} is not a setting of a run.{near_misses(name, owner)}")
        split[owner[name]][name] = value
    return split


def _alternation(trainer: str, given: Mapping[str, Any]) -> AlternationConfig | None:
    if trainer == "alternating":
        alternation = AlternationConfig(**given)
        check(alternation)
        return alternation
    if given:
        flags = ", ".join(f"--{name}" for name in given)
        raise UserError(
            f"{flags}: only for --trainer=alternating, but this run's trainer is {trainer}; drop"
            " the flag or change the trainer."
        )
    return None
