"""Batch normalisation with the settings that every model uses."""

from __future__ import annotations

from yt8m.layers.normalisation.debiased_batch_norm import DebiasedBatchNorm


def batch_norm(name: str, momentum: float = 0.99, scale: bool = True) -> DebiasedBatchNorm:
    """Return a batch normalisation layer over the last axis.

    Epsilon 1e-3 is the default of TF-slim. Its momentum of 0.999 is not used: moving averages would
    need thousands of steps to forget their initial values, so a run of a few hundred would be
    evaluated with these. 0.99 suits short and long runs (docs/sources.md#batch-normalisation).

    Args:
      name: name of the layer.
      momentum: see `DebiasedBatchNorm`.
      scale: whether there is a γ.
    """
    return DebiasedBatchNorm(momentum=momentum, epsilon=1e-3, scale=scale, name=name)
