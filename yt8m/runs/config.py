"""A run's settings as frozen values, kept as `config.json` in `--train_dir` so that the other scripts need nothing else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.models.core.recipe import Recipe
from yt8m.runs.alternation_config import AlternationConfig

CONFIG_FILE = "config.json"

# What may differ when a run is taken up again: it changes how fast or how long, not what is learnt.
MAY_CHANGE = frozenset(
    {
        "training.num_readers",
        "training.cache",
        "training.strategy",
        "training.num_gpu",
        "training.steps_per_call",
        "training.checkpoint_minutes",
        "training.export_model_steps",
        "training.max_bad_records",
        "training.max_steps",
        "training.patience",
        "training.min_gain",
        "training.eval_batch_size",
        "training.progress_seconds",
        "training.keep_checkpoints",
        "alternation.executor",
        "alternation.task_minutes",
        "recipe.num_epochs",
    }
)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Which model, and its constructor arguments."""

    name: str
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a run reads, computes and stops; see the flags of the same names for each one's meaning."""

    train_data_pattern: str
    eval_data_pattern: str = ""
    vocabulary_file: str = ""
    priors_from: str = ""
    init_from: str = ""
    trainer: str = "joint"
    strategy: str = "auto"
    num_gpu: int = 0
    dtype: str = "float32"
    jit_compile: bool = False
    steps_per_call: int = 1
    seed: int = 0
    max_steps: int = 0
    patience: int = 0
    min_gain: float = 0.0
    regularization_penalty: float = 1.0
    balanced_batches: bool = False
    label_weight_power: float = 0.0
    label_noise: str = ""
    label_noise_fraction: float = 0.05
    label_noise_scores: str = ""
    eval_batch_size: int = 0
    eval_frames: int = 0
    top_k: int = 20
    num_readers: int = 8
    cache: str = ""
    shuffle_buffer: int = 0
    max_bad_records: int = 100
    checkpoint_minutes: float = 10.0
    export_model_steps: int = 0
    keep_checkpoints: int = 2
    progress_seconds: float = 10.0


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run, and under `facts` what was found when it started (versions, data)."""

    schema: RecordSchema
    model: ModelConfig
    recipe: Recipe
    training: TrainingConfig
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    alternation: AlternationConfig | None = None  # of --trainer=alternating alone

    def to_json(self) -> str:
        """Return the JSON text that `from_json` reads."""
        values = dataclasses.asdict(self)
        if self.alternation is None:
            del values["alternation"]
        return json.dumps({"format": 1, **values}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = CONFIG_FILE) -> RunConfig:
        """Read what `to_json` wrote; a `UserError` names the file if it is something else."""
        try:
            values = json.loads(text)
            schema = {
                k: tuple(v) if isinstance(v, list) else v for k, v in values["schema"].items()
            }
            return cls(
                schema=RecordSchema(**schema),
                model=ModelConfig(**values["model"]),
                recipe=Recipe(**values["recipe"]),
                training=TrainingConfig(**values["training"]),
                facts=values.get("facts", {}),
                alternation=AlternationConfig(**values["alternation"])
                if "alternation" in values
                else None,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{where} is not a run's configuration ({error}); --train_dir names a folder that train.py made."
            )


def _flatten(prefix: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        flat: dict[str, Any] = {}
        for key, inner in value.items():
            flat.update(_flatten(f"{prefix}.{key}" if prefix else key, inner))
        return flat
    return {prefix: list(value) if isinstance(value, tuple) else value}


def differences(old: RunConfig, new: RunConfig) -> list[tuple[str, Any, Any]]:
    """Return (setting, old value, new value) wherever two runs' settings differ, facts left out."""
    flat_old, flat_new = (
        _flatten("", {k: v for k, v in dataclasses.asdict(c).items() if k != "facts"})
        for c in (old, new)
    )
    return [
        (key, flat_old.get(key), flat_new.get(key))
        for key in sorted({*flat_old, *flat_new})
        if flat_old.get(key) != flat_new.get(key)
    ]


def check_same_keras(old: RunConfig, new: RunConfig, train_dir: str) -> None:
    """Refuse to take up a checkpoint under another Keras: some of it may match, and the rest would begin anew unsaid.

    Raises:
      UserError: the run was begun under the other major version.
    """
    was, now = (str(c.facts.get("keras", "")).partition(".")[0] for c in (old, new))
    if was and now and was != now:
        raise UserError(
            f"--train_dir={train_dir} was begun under Keras {old.facts['keras']} (TensorFlow {old.facts.get('tensorflow')}), and this is Keras"
            f" {new.facts['keras']}: a run is resumed under the Keras that began it. Its best/ and last/ do for any version:"
            f" --init_from={train_dir} in a new --train_dir starts from them."
        )


def _check_same_data(old: RunConfig, new: RunConfig, train_dir: str) -> None:
    # A run goes on at a place in its data's order, and compares GAPs: both mean nothing over other files.
    for fact, flag in (("data", "--train_data_pattern"), ("eval_data", "--eval_data_pattern")):
        was, now = old.facts.get(fact), new.facts.get(fact)
        if was and now and was["sha1"] != now["sha1"]:
            raise UserError(
                f"--train_dir={train_dir} holds a run that began with other files behind {flag}: {was['shards']:,} of {was['bytes']:,}"
                f" bytes then, {now['shards']:,} of {now['bytes']:,} bytes now. Bring those back, or name another --train_dir"
                f" (with --init_from={train_dir} it starts from this run's weights), or give --start_new_model to delete the run."
            )


def check_same_run(old: RunConfig, new: RunConfig, train_dir: str) -> str | None:
    """Refuse to go on with a run under other settings, or on other data.

    Returns:
      A line that names the harmless differences, or None.

    Raises:
      UserError: where a setting differs that changes what is learnt, each of which it shows, or the files do.
    """
    found = differences(old, new)
    # A run that had no validation may get one: nothing it kept was judged by another set.
    fatal = [
        d
        for d in found
        if d[0] not in MAY_CHANGE and not (d[0] == "training.eval_data_pattern" and not d[1])
    ]
    if fatal:
        lines = "\n".join(
            f"  {key}: the run has {was!r}, the flags say {now!r}" for key, was, now in fatal
        )
        raise UserError(
            f"--train_dir={train_dir} holds a run with other settings:\n{lines}\n"
            "Drop those flags to go on with it, name another --train_dir, or give --start_new_model to delete it."
        )
    _check_same_data(old, new, train_dir)
    if found:
        return "changed since the run began: " + ", ".join(
            f"{key} {was!r} -> {now!r}" for key, was, now in found
        )
    return None
