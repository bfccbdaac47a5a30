"""The driver's side of a model with which tasks compute, in this process or in others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.compat import tf_variable
from yt8m.largescale.executors import Executor, forget, warm
from yt8m.largescale.gradient.shard_gradient import GradientSettings, GradientWorker
from yt8m.largescale.tasks.shipped_model import ShippedModel
from yt8m.models.core.base import Yt8mModel


class SharedModel:
    """A model whose frozen weights are broadcast once, and the others after each change.

    Each process builds it once. A local executor's tasks use the model itself.

    Args:
      executor: runs the tasks.
      model: a built and registered model that `get_config()` can rebuild.
      settings: what of it is frozen.

    Attributes:
      settings: as given.
      variables: those that may change.
    """

    def __init__(self, executor: Executor, model: Yt8mModel, settings: GradientSettings):
        self._executor, self.settings = executor, settings
        self._worker = GradientWorker(settings, model)
        self.variables = self._worker.variables["weights"]
        whole = settings.head is None
        self._handles: dict[str, Any] = {
            "settings": executor.broadcast(settings),
            "model": executor.broadcast(
                ShippedModel.of(model) if whole else ShippedModel.headless(model)
            ),
            "fixed": self._broadcast(self._worker.variables["fixed"]),
            "head": self._broadcast(self._worker.head_values()),
        }

    def _broadcast(self, variables: Sequence[Any]) -> Any:
        """Broadcast values; local tasks need none, because they use the trainer's own model."""
        values = [] if self._executor.local else [np.array(tf_variable(v)) for v in variables]
        return self._executor.broadcast(values)

    def changed(self) -> None:
        """Note that `variables` have new values, which the next tasks receive."""
        self._handles.pop("weights", None)

    def handles(self) -> dict[str, Any]:
        """Return what the tasks read; see `shard_gradient.received_worker`."""
        if "weights" not in self._handles:
            self._handles["weights"] = self._broadcast(self.variables)
        if self._executor.local:
            warm(self._handles["model"].key, lambda: self._worker)
        return self._handles

    def close(self) -> None:
        """Release the model that this process keeps for the tasks; the executor stays open."""
        forget(self._handles["model"].key)
        self._handles.clear()
