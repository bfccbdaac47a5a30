"""A registered model as plain data that travels to the workers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np

from yt8m.compat import tf_variable
from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.build import dtype_policy
from yt8m.runs.settings.training import Dtype


@dataclasses.dataclass(frozen=True)
class ShippedModel:
    """What a worker builds a model from.

    Attributes:
      name: the model's registered name.
      arguments: its constructor arguments, as JSON.
      dtype: the type in which it computes, "float32" or "bfloat16".
      weights: the values of all weights before the head, those that are not trained included, in
        the model's order; empty if the weights arrive in another way.
    """

    name: str
    arguments: str
    dtype: Dtype
    weights: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(cls, model: Yt8mModel) -> ShippedModel:
        """Return the description of a whole model, without its weights."""
        arguments = json.dumps(model.get_config())
        return cls(registry.name_of(type(model)), arguments, model.compute_dtype)

    @classmethod
    def headless(cls, model: Yt8mModel) -> ShippedModel:
        """Return the description of a model with a small head, for a worker that needs none."""
        mixture = isinstance(model.head, (MixtureOfExperts, GroupedMixtureOfExperts))
        groups = [{"classes": [0], "num_mixtures": 1}] if mixture else None
        arguments = {**model.get_config(), "groups": groups}
        return dataclasses.replace(cls.of(model), arguments=json.dumps(arguments))

    @classmethod
    def before_head(cls, model: Yt8mModel) -> ShippedModel:
        """Return the description of a model with its weights before the head, and a small head."""
        weights = tuple(np.array(tf_variable(v)) for v in weights_before_head(model))
        return dataclasses.replace(cls.headless(model), weights=weights)

    def make(self) -> Yt8mModel:
        """Return the model, built, with the weights that were shipped."""
        with dtype_policy(self.dtype):
            model = registry.create(self.name, **json.loads(self.arguments)).build_weights()
        for variable, value in zip(weights_before_head(model), self.weights):
            tf_variable(variable).assign(value)
        return model


def weights_before_head(model: Yt8mModel) -> list[Any]:
    """Return every weight of a model except its head's, in the model's order."""
    of_head = {id(v) for v in model.head.weights}
    return [v for v in model.weights if id(v) not in of_head]


def fingerprint(model: Yt8mModel) -> str:
    """Return a hash of a model's class and of its weights before the head.

    It tells the features of one aggregator from those of another.
    """
    found = hashlib.sha1(type(model).__name__.encode())
    for variable in weights_before_head(model):
        found.update(np.ascontiguousarray(tf_variable(variable).numpy()).tobytes())
    return found.hexdigest()
