"""The label priors from which a run's heads start."""

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
    """Return the priors [K]: the run's own, those of --priors_from, or the label frequencies.

    Args:
      config: the run's settings.
      run: the run's folder, which keeps the priors.
      files: the training shards, read if no run or vocabulary has the frequencies.
      say: prints where the priors come from.
      keep: False for a worker that is not the chief.

    Raises:
      UserError: `--priors_from` contains no priors, or priors for another number of classes.
    """
    t, num_classes = config.training, config.schema.num_classes
    # Until the run has begun, its priors are those of a refused command, which the chief removes
    # while the other workers may be looking.
    priors = run.load_priors() if keep or run.exists() else None
    if priors is None and t.priors_from:
        priors = RunFolder(t.priors_from).load_priors()
        if priors is None:
            raise UserError(
                f"--priors_from={t.priors_from} contains no priors.npy; name the folder of an"
                " earlier run."
            )
    if priors is None:
        path = t.vocabulary_file or beside(files, num_classes)
        vocabulary = read_vocabulary(path) if path else None
        priors, how = label_priors(files, config.schema, vocabulary)
        say(f"label priors: {how}")
    if len(priors) != num_classes:
        raise UserError(
            f"--priors_from={t.priors_from} has {len(priors)} priors, but the run has {num_classes}"
            " classes; name a run with the same classes."
        )
    if keep:
        run.save_priors(priors)
    return priors
