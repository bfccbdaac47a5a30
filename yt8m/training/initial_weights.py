"""Initialisation of a new run with the weights of an earlier one (--init_from)."""

from __future__ import annotations

from typing import Callable

from yt8m.errors import UserError
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.load import described, load_run


def initialize(model: Yt8mModel, config: RunConfig, say: Callable[[str], None]) -> None:
    """Give the model of a new run the weights that `--init_from` names.

    Args:
      model: a built model.
      config: the new run's settings.
      say: prints where the weights come from.

    Raises:
      UserError: the model needs another's weights, or the other run does not fit.
    """
    t = config.training
    if t.init_from:
        other_config, other, path = load_run(t.init_from, "--init_from", t.dtype)
        model.initialize_from(other)
        say(f"started from the {other_config.model.name} in {described(path)}")
    elif model.lacks:
        raise UserError(f"--model={config.model.name} needs --init_from=RUN_DIR: {model.lacks}.")
