"""Batch normalisation as every model here uses it."""

from __future__ import annotations

import tensorflow as tf


def batch_norm(name: str, momentum: float = 0.99, scale: bool = True) -> tf.keras.layers.BatchNormalization:
    """Return a batch normalisation over the last axis, its statistics summed over replicas.

    Epsilon 1e-3 is TF-slim's. Its momentum 0.999 needs thousands of steps until the moving
    averages have forgotten where they began, and a run of a few hundred would be evaluated on
    them; 0.99 serves both (spec D.2 leaves it open).
    """
    return tf.keras.layers.BatchNormalization(momentum=momentum, epsilon=1e-3, scale=scale, synchronized=True, name=name)
