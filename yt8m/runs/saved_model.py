"""A model as a run's folder holds it, read whole while the run may be writing the next one."""

from __future__ import annotations

from yt8m.errors import UserError
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.build import make_model
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder, config_of, load_weights


def load_saved(run: RunFolder, weights: str) -> tuple[RunConfig, Yt8mModel]:
    """Return the settings that one of a run's weight files has, and its model with these weights.

    Args:
      run: the folder.
      weights: the file's path.

    Raises:
      UserError: there is no such file, or it does not fit the run's model.
    """
    config = config_of(run, weights)
    while True:
        problem: UserError | None = None
        model = make_model(config)
        try:
            load_weights(model, weights)
        except UserError as error:
            problem = error
        # The model is made from the file's arguments before its weights are read; in between a run may have put a
        # larger one in its place.
        before, config = config, config_of(run, weights)
        if config == before:
            if problem:
                raise problem
            return config, model
