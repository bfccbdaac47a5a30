"""Everything that the output of a prediction depends on, to be compared before going on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m import listing
from yt8m.compat import tf_variable
from yt8m.runs.devices.used import UsedDevices
from yt8m.runs.trained_model import TrainedModel


def depends_on(trained: TrainedModel, files: Sequence[str], version: str) -> dict[str, Any]:
    """Return a hash or a description of each thing that decides the scores, by a name for messages.

    Args:
      trained: the model, of whose weights each byte counts.
      files: the shards, which are taken to be the same if their names, sizes and times are.
      version: this program's.
    """
    return {
        "the model": _weights(trained),
        "the records": _shards(files),
        "the version of yt8m": version,
        "the version of TensorFlow": tf.__version__,
        "the device": UsedDevices.of(trained.strategy).line(trained.dtype),
    }


def _weights(trained: TrainedModel) -> str:
    found = hashlib.blake2b(repr(trained.model.get_config()).encode(), digest_size=16)
    found.update(repr(trained.config.schema).encode())
    for variable in trained.model.weights:
        found.update(np.ascontiguousarray(tf_variable(variable).numpy()).tobytes())
    return found.hexdigest()


def _shards(files: Sequence[str]) -> str:
    lines = [f"{f} {s.size} {s.modified}" for f, s in zip(files, listing.statuses(files))]
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
