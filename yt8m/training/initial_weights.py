"""What a new run starts with beside the label priors: weights of an earlier one (--init_from)."""

from __future__ import annotations

from typing import Callable

from yt8m.errors import UserError
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder, weights_file
from yt8m.runs.saved_model import load_saved


def load_run(train_dir: str, flag: str) -> tuple[RunConfig, Yt8mModel, str]:
    """Return an earlier run's settings, its model with its best (else last) weights, and their path.

    Args:
      train_dir: the run's folder.
      flag: names it in messages.

    Raises:
      UserError: there is no run, or it has saved no model.
    """
    run = RunFolder(train_dir)
    run.load_config(flag)  # says so where there is no run
    path = weights_file(run, flag=flag)
    config, model = load_saved(run, path)
    return config, model, path


def initialize(model: Yt8mModel, config: RunConfig, say: Callable[[str], None]) -> None:
    """Give the model of a new run what `--init_from` names.

    Raises:
      UserError: the model cannot be trained without, or the other run does not fit.
    """
    train_dir = config.training.init_from
    if not train_dir:
        if model.lacks:
            raise UserError(
                f"--model={config.model.name} needs --init_from=RUN_DIR: {model.lacks}."
            )
        return
    other_config, other, path = load_run(train_dir, "--init_from")
    model.initialize_from(other)
    say(f"started from the {other_config.model.name} in {path}")
