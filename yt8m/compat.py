"""All switches between Keras 2 (TensorFlow 2.15) and Keras 3; no other file checks versions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.errors import UserError

# TensorFlow 2.15's Keras has no version of its own.
KERAS_VERSION: str = getattr(tf.keras, "__version__", "2")
KERAS_3: bool = not KERAS_VERSION.startswith("2")

if KERAS_3 and tf.keras.config.backend() != "tensorflow":
    raise UserError(
        f"Keras computes with {tf.keras.config.backend()}, which KERAS_BACKEND or keras.json sets,"
        " but this program needs TensorFlow; set the environment variable"
        " KERAS_BACKEND=tensorflow."
    )

# Keyword arguments of `add_weight` for a weight that a mixed-precision policy leaves as it is.
# Large kernels are cast one chunk at a time, whereas Keras would cast the whole kernel first.
NO_AUTOCAST: dict[str, bool] = {"autocast" if KERAS_3 else "experimental_autocast": False}

# The `aggregation` of a variable that every replica updates: the mean over the replicas.
MEAN_OVER_REPLICAS: Any = "mean" if KERAS_3 else tf.VariableAggregation.MEAN


def tf_variable(variable: Any) -> tf.Variable:
    """Return the `tf.Variable` behind a Keras 2 or Keras 3 variable."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def variable_index(optimizer: Any, variable: Any) -> int:
    """Return the position of a variable among those that a Keras optimizer was built for."""
    if KERAS_3:
        return optimizer._get_variable_index(variable)
    return optimizer._index_dict[optimizer._var_key(variable)]
