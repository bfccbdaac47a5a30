"""Whether the settings of a run suit the number of its replicas."""

from __future__ import annotations

from yt8m.errors import UserError
from yt8m.runs.config import RunConfig


def check_replicas(config: RunConfig, replicas: int) -> None:
    """Refuse a batch size or a compiler setting that does not suit the number of replicas.

    Raises:
      UserError: it names the flag.
    """
    strategy, batch_size = config.training.strategy, config.recipe.batch_size
    if batch_size % replicas:
        raise UserError(
            f"--batch_size={batch_size} is not a multiple of the {replicas} replicas of"
            f" --strategy={strategy}; choose one that is."
        )
    if config.training.jit_compile and replicas > 1:
        raise UserError(
            f"--jit_compile works on one replica, but --strategy={strategy} has {replicas}; drop"
            " --jit_compile (a TPU compiles anyway)."
        )
