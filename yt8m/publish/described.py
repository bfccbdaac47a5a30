"""All that a model card says about a run, gathered from its folder."""

from __future__ import annotations

import dataclasses
import os
import shlex
from typing import Any

import tensorflow as tf

from yt8m import files
from yt8m.models.core import registry
from yt8m.publish.data_sets import DataSet
from yt8m.publish.licenses import LICENSES, License
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import METRICS, RunFolder


@dataclasses.dataclass(frozen=True)
class Described:
    """A model that is being published.

    Attributes:
      name: OWNER/NAME on the hub.
      config: the run's settings.
      parameters: number of weights.
      checkpoint: "best" or "last".
      step: after how many steps the weights were saved, or None.
      finished: whether the run has ended.
      metrics: the evaluation of these very weights, or None.
      data: the data set.
      license_id: identifier of the weights' license.
      has_vocabulary: whether the folder has a vocabulary.csv.
    """

    name: str
    config: RunConfig
    parameters: int
    checkpoint: str
    step: int | None
    finished: bool
    metrics: dict[str, Any] | None
    data: DataSet
    license_id: str
    has_vocabulary: bool

    @property
    def license(self) -> License:
        """The weights' license."""
        return LICENSES[self.license_id]

    @property
    def about(self) -> str:
        """The first line of the model's documentation."""
        return (registry.model_class(self.config.model.name).__doc__ or "").split("\n")[0]

    @property
    def title(self) -> str:
        """The model and its data."""
        return f"{self.config.model.name} on {self.data.name}"


def evaluation(run: RunFolder, checkpoint: str, step: int | None) -> tuple[str, dict[str, Any]]:
    """Return the folder and the contents of the metrics.json of a run's weights.

    Args:
      run: the folder.
      checkpoint: "best" or "last", which weights.
      step: after how many steps they were saved, or None.

    Raises:
      LookupError: there is no evaluation, or it is that of other weights; the message says so.
    """
    folder = run.path if run.publication() else run.file("eval")
    path = os.path.join(folder, METRICS)
    metrics = files.read_json(path) if tf.io.gfile.exists(path) else {}
    if "gap" not in metrics or "data" not in metrics:
        raise LookupError("the run has not been evaluated")
    where = os.path.basename(os.path.dirname(metrics.get("weights", "")))
    if where in ("best", "last") and where != checkpoint:
        raise LookupError(f"the run's last evaluation is that of its {where} model")
    if None not in (step, metrics.get("step")) and metrics["step"] != step:
        raise LookupError(
            f"the run's last evaluation is that of step {metrics['step']:,}, and its"
            f" {checkpoint} model is now that of step {step:,}"
        )
    return folder, metrics


def command_line(config: RunConfig) -> str | None:
    """Return the command that began a run, or None if it was begun from Python."""
    program, *arguments = config.facts.get("command") or [""]
    name = os.path.basename(program)
    if name == "train.py":
        return shlex.join(["python", name, *arguments])
    if name in ("yt8m", "__main__.py") and arguments[:1] == ["train"]:
        return shlex.join(["yt8m", *arguments])
    return None
