"""The statistics by which a run standardizes its inputs, learnt from its training records."""

from __future__ import annotations

from typing import Callable

import numpy as np

from yt8m.data.features.statistics import learn_statistics
from yt8m.errors import UserError
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder


def standardize_inputs(
    model: Yt8mModel,
    config: RunConfig,
    run: RunFolder,
    files: list[str],
    say: Callable[[str], None],
    keep: bool = True,
) -> None:
    """Give a model the statistics of its run's inputs, if it standardizes them.

    Args:
      model: the model; its weights need not exist yet.
      config: the run's settings.
      run: the run's folder, which keeps the statistics.
      files: the training shards, read if the run has no statistics yet.
      say: prints what they were learnt from.
      keep: False for a worker that is not the chief.

    Raises:
      UserError: no record has finite values.
    """
    if getattr(model, "input_norm", "") != "standardize":
        return
    found = run.load_statistics() if keep or run.exists() else None
    if found is None or len(found["mean"]) != config.schema.feature_size:
        found = _learnt(config, files, say)
    if keep:
        run.save_statistics(found)
    model.standardize_inputs(found["mean"], found["std"])


def _learnt(
    config: RunConfig, files: list[str], say: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """Return the mean and the standard deviation of each feature [D]; 0 where it is constant."""
    schema = config.schema
    statistics = learn_statistics(files, schema)
    if statistics is None:
        raise UserError(
            f"--input_norm=standardize: no finite value could be read from the {len(files):,} files"
            f" of --train_data_pattern, the first of which is {files[0]}; `python -m"
            f" yt8m.data.inspect --full {files[0]}` lists its broken records."
        )
    constant = schema.feature_size - int(statistics.varies.sum())
    what = "frames" if schema.level == "frame" else "videos"
    dead = f"; {constant:,} of {schema.feature_size:,} have one value only" if constant else ""
    say(
        f"input statistics: mean and spread of each feature in {statistics.rows:,} {what} of"
        f" {statistics.records:,} records{dead}"
    )
    std = np.where(statistics.varies, statistics.std, 0.0)
    return {"mean": statistics.mean, "std": std}
