"""A run's settings as frozen values, stored as `config.json` in `--train_dir`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.models.core.recipe import Recipe
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.settings.phases import Phase
from yt8m.runs.settings.session import Session
from yt8m.runs.settings.training import TrainingConfig
from yt8m.settings import check, may_change

CONFIG_FILE = "config.json"

# Settings that a resumed run may change. They change how fast a run computes or when it ends, and
# two of them what is learnt: the number of epochs or of steps changes the learning rates from there
# on, in a way that --extend chooses and that becomes one of the run's phases.
_MAY_CHANGE = may_change(
    {"recipe": Recipe, "training": TrainingConfig, "alternation": AlternationConfig}
)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Name of the model and its constructor arguments."""

    name: str
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run; `facts` records the versions and data at its start.

    `alternation` is None unless the trainer is "alternating". `phases` are those of the learning
    rate, and empty unless the run's length has changed. `session` belongs to this process: it is
    not stored and makes no two runs different.
    """

    schema: RecordSchema
    model: ModelConfig
    recipe: Recipe
    training: TrainingConfig
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    alternation: AlternationConfig | None = None
    phases: tuple[Phase, ...] = ()
    session: Session = dataclasses.field(default_factory=Session, compare=False)

    def to_json(self) -> str:
        """Return the JSON text that `from_json` reads."""
        values = dataclasses.asdict(self)
        del values["session"]
        if self.alternation is None:
            del values["alternation"]
        if not self.phases:
            del values["phases"]
        return json.dumps({"format": 1, **values}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = CONFIG_FILE) -> RunConfig:
        """Return the settings that `to_json` wrote.

        Args:
          text: the JSON.
          where: the file's name, for the error message.

        Raises:
          UserError: the text is not a run's configuration.
        """
        try:
            values = json.loads(text)
            schema: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in values["schema"].items()
            }
            if "mixup" in values["training"]:  # where runs of November 2026 have it
                values["recipe"]["mixup"] = values["training"].pop("mixup")
            alternation = values.get("alternation")
            config = cls(
                schema=RecordSchema(**schema),
                model=ModelConfig(**values["model"]),
                recipe=Recipe(**values["recipe"]),
                training=TrainingConfig(**values["training"]),
                facts=values.get("facts", {}),
                alternation=AlternationConfig(**alternation) if alternation else None,
                phases=tuple(Phase(**phase) for phase in values.get("phases", ())),
            )
            for part in filter(None, (config.recipe, config.training, config.alternation)):
                check(part)
            return config
        except UserError as error:
            raise UserError(
                f"{where} has a setting that no run can have: {error} Restore the file."
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{where} is not a run's configuration ({error}); set --train_dir to a folder that"
                " train.py wrote."
            ) from error


def _flatten(prefix: str, value: Any) -> dict[str, Any]:
    """Flatten nested dictionaries into keys such as "recipe.batch_size"; tuples become lists."""
    if isinstance(value, dict):
        flat: dict[str, Any] = {}
        for key, inner in value.items():
            flat.update(_flatten(f"{prefix}.{key}" if prefix else key, inner))
        return flat
    return {prefix: list(value) if isinstance(value, tuple) else value}


def differences(old: RunConfig, new: RunConfig) -> list[tuple[str, Any, Any]]:
    """Return (setting, old value, new value) wherever two runs differ, except in facts.

    What only belongs to a session, or came of one, is no difference.
    """
    left_out = ("facts", "phases", "session")
    flat_old, flat_new = (
        _flatten("", {k: v for k, v in dataclasses.asdict(c).items() if k not in left_out})
        for c in (old, new)
    )
    return [
        (key, flat_old.get(key), flat_new.get(key))
        for key in sorted({*flat_old, *flat_new})
        if flat_old.get(key) != flat_new.get(key)
    ]


def check_same_keras(old: RunConfig, new: RunConfig, train_dir: str) -> None:
    """Refuse a checkpoint of another Keras: whatever does not match would silently start over.

    Raises:
      UserError: the run began under the other major version of Keras.
    """
    was, now = (str(c.facts.get("keras", "")).partition(".")[0] for c in (old, new))
    if was and now and was != now:
        began = f"Keras {old.facts['keras']} (TensorFlow {old.facts.get('tensorflow')})"
        raise UserError(
            f"--train_dir={train_dir} was begun under {began}, but this is Keras"
            f" {new.facts['keras']}: a run can only be resumed under the Keras version that began"
            " it. The weights in its best/ and last/ load under any version:"
            f" --init_from={train_dir} in a new --train_dir starts from them."
        )


def _check_same_data(old: RunConfig, new: RunConfig, train_dir: str) -> None:
    # A resumed run continues at a place in the order of its data and compares GAPs: other files
    # would make both meaningless.
    for fact, flag in (("data", "--train_data_pattern"), ("eval_data", "--eval_data_pattern")):
        was, now = old.facts.get(fact), new.facts.get(fact)
        if was and now and was["sha1"] != now["sha1"]:
            then = f"{was['shards']:,} shards of {was['bytes']:,} bytes then"
            raise UserError(
                f"--train_dir={train_dir} contains a run that began with other files for {flag}:"
                f" {then}, {now['shards']:,} shards of {now['bytes']:,} bytes now. Restore those"
                f" files, or name another --train_dir (with --init_from={train_dir} it starts from"
                " this run's weights), or use --start_new_model to delete the run."
            )


def check_same_run(old: RunConfig, new: RunConfig, train_dir: str) -> str | None:
    """Refuse to resume a run under settings that change what it learns, or on other data.

    Returns:
      A line that names the harmless differences, or None.

    Raises:
      UserError: lists each setting that differs, or says that the files do.
    """
    # A run that began when one step was the default takes what its devices need now.
    automatic = ("training.steps_per_call", 1, 0)
    found = [different for different in differences(old, new) if different != automatic]
    # A run without validation may get one: none of its models was chosen by another set.
    fatal = [
        (key, was, now)
        for key, was, now in found
        if key not in _MAY_CHANGE and not (key == "training.eval_data_pattern" and not was)
    ]
    if fatal:
        lines = "\n".join(
            f"  {key}: the run has {was!r}, the flags say {now!r}" for key, was, now in fatal
        )
        raise UserError(
            f"--train_dir={train_dir} contains a run with other settings:\n{lines}\nGive the"
            " run's values to resume it, name another --train_dir, or use --start_new_model to"
            " delete it."
        )
    _check_same_data(old, new, train_dir)
    if found:
        changes = ", ".join(f"{key} {was!r} -> {now!r}" for key, was, now in found)
        return f"settings changed since the run began: {changes}"
    return None
