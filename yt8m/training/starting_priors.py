"""The label priors that a run's heads start from: its own from before, another run's, or what the labels say."""

from __future__ import annotations

from typing import Callable

import numpy as np

from yt8m.data.priors import label_priors
from yt8m.data.vocabulary import beside, read_vocabulary
from yt8m.errors import UserError
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder


def starting_priors(
    config: RunConfig,
    run: RunFolder,
    files: list[str],
    say: Callable[[str], None],
    keep: bool = True,
) -> np.ndarray:
    """Return the priors [K], and keep them with the run.

    Args:
      config: of the run.
      run: its folder.
      files: training shards, looked at where nothing else tells.
      say: prints where they come from.
      keep: False for a worker that is not the chief.

    Raises:
      UserError: `--priors_from` holds none, or of another number of classes.
    """
    t, schema = config.training, config.schema
    # Before the run has begun, what lies there is of a refused attempt, and the chief removes it while the other workers look.
    priors = run.load_priors() if keep or run.exists() else None
    if priors is None and t.priors_from:
        priors = RunFolder(t.priors_from).load_priors()
        if priors is None:
            raise UserError(
                f"--priors_from={t.priors_from} holds no priors.npy; name the folder of an earlier run."
            )
    if priors is None:
        path = t.vocabulary_file or beside(files)
        priors, how = label_priors(files, schema, read_vocabulary(path) if path else None)
        say(f"label priors: {how}")
    if len(priors) != schema.num_classes:
        raise UserError(f"--priors_from: {len(priors)} priors for {schema.num_classes} classes.")
    if keep:
        run.save_priors(priors)
    return priors
