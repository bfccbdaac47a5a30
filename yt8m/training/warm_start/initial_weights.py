"""Initialisation of a new run with the weights of an earlier one (--init_from)."""

from __future__ import annotations

from typing import Callable

from yt8m.errors import UserError
from yt8m.models.core.base import Yt8mModel
from yt8m.models.core.trunk import Trunk
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import described, load_run
from yt8m.training.warm_start.same_classes import why_others


def initialize(
    model: Yt8mModel, config: RunConfig, run: RunFolder, say: Callable[[str], None]
) -> None:
    """Give the model of a new run the weights that `--init_from` names.

    Args:
      model: a built model.
      config: the new run's settings.
      run: its folder.
      say: prints where the weights come from, and which ones are not taken.

    Raises:
      UserError: the model needs another's weights, or the other run does not fit.
    """
    t = config.training
    if not t.init_from:
        if model.lacks:
            raise UserError(
                f"--model={config.model.name} needs --init_from=RUN_DIR: {model.lacks}."
            )
        return
    other_config, other, path = load_run(t.init_from, "--init_from", t.dtype)
    why = why_others(RunFolder(t.init_from), other_config, run, config)
    source = f"started from the {other_config.model.name} in {described(path)}"
    same_model = type(other) is type(model)
    if t.freeze_trunk and not same_model:
        raise UserError(
            f"--freeze_trunk keeps the layers below the head of a trained {config.model.name} as"
            f" they are, but --init_from={t.init_from} is a run of {other_config.model.name}; drop"
            " the flag, or name another run."
        )
    if why and same_model:
        _take_trunk(model, other, source, why, say)
    else:
        model.initialize_from(other)
        say(source)
    differences = other.differences(model) if same_model else ""
    if differences:
        say(f"settings of the model that differ: {differences}")


def _take_trunk(
    model: Yt8mModel, other: Yt8mModel, source: str, why: str, say: Callable[[str], None]
) -> None:
    trunk = Trunk(model)
    trunk.check_divides()
    with trunk.keeping_head():
        model.initialize_from(other)
    say(f"{source}: it gave {trunk.described()}")
    if not all(trunk.is_trunk):
        say(f"new, from this run's label priors: {trunk.described(head=True)}, because {why}")


def freeze(model: Yt8mModel, config: RunConfig) -> None:
    """Freeze the trunk of a built model, with --freeze_trunk.

    Raises:
      UserError: the model has no trunk, or nothing else, or the flag does not fit the others.
    """
    check(config)
    if config.training.freeze_trunk:
        Trunk(model).freeze()


def check(config: RunConfig) -> None:
    """Refuse to freeze layers that were not trained before, or that another trainer needs.

    Raises:
      UserError: it names the flag and what it needs.
    """
    t = config.training
    if not t.freeze_trunk:
        return
    if not t.init_from:
        raise UserError(
            "--freeze_trunk keeps the layers below the head as --init_from gives them; without it,"
            " they would keep their random initial values. Name a trained run with --init_from, or"
            " drop the flag."
        )
    if t.trainer != "joint":
        raise UserError(
            f"--freeze_trunk works only with --trainer=joint, but this run's trainer is"
            f" {t.trainer}; drop one of the two."
        )
