"""Batch normalisation as every model here uses it."""

from __future__ import annotations

from yt8m.layers.normalisation.debiased_batch_norm import DebiasedBatchNorm


def batch_norm(name: str, momentum: float = 0.99, scale: bool = True) -> DebiasedBatchNorm:
    """Return a batch normalisation over the last axis, its statistics summed over replicas.

    Epsilon 1e-3 is TF-slim's. Its momentum 0.999 needs thousands of steps until the moving
    averages have forgotten where they began, and a run of a few hundred would be evaluated on
    them; 0.99 serves both (spec D.2 leaves it open), if the first batch replaces the start: from
    Keras's variance of 1 down to a normalised frame's 1/1152 takes 0.99 some 900 steps.
    """
    return DebiasedBatchNorm(momentum=momentum, epsilon=1e-3, scale=scale, name=name)
