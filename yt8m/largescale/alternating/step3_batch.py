"""How many videos a worker of step 3 computes together: chosen once for a run, and kept.

The last digits of a gradient depend on where its batches are cut, so the number must not follow
from which worker computes what, nor change when a run is resumed on another machine.
"""

from __future__ import annotations

import dataclasses

from yt8m.largescale.alternating.chosen_once import choose_once
from yt8m.largescale.alternating.context import Context
from yt8m.largescale.gradient.shard_gradient import GradientSettings
from yt8m.largescale.gradient.worker_memory import WorkerMemory, predict
from yt8m.models.core.base import Yt8mModel


def with_batch_size(
    context: Context, model: Yt8mModel, settings: GradientSettings
) -> GradientSettings:
    """Return the settings with the run's batch size; its tasks ask for the predicted memory.

    A batch size that --step3_batch_size does not give is --batch_size, halved until a worker's
    memory holds what is predicted for it.

    Args:
      context: the run; the choice is kept in its folder.
      model: the model of this step.
      settings: what is differentiated; their batch size is the largest that may be chosen.
    """
    largest = settings.source.batch_size

    def changed(rows: int) -> GradientSettings:
        source = dataclasses.replace(settings.source, batch_size=rows)
        return dataclasses.replace(settings, source=source)

    rows, memory = choose_once(
        context,
        "step3_batch.json",
        "batch_size",
        context.settings.step3_batch_size,
        [largest >> halvings for halvings in range(largest.bit_length())],
        lambda rows: predict(model, changed(rows)),
        "delete it: the batch size is then chosen again, which changes the last digits.",
    )
    _say(context, rows, memory)
    return changed(rows)


def _say(context: Context, rows: int, memory: WorkerMemory) -> None:
    need, limit = context.executor.task_memory, context.executor.worker_memory()
    line = (
        f"step 3 computes {rows} videos together: a worker needs about {need / 1e9:.2f} GB"
        f" ({memory.step / 1e9:.2f} GB for a batch's forward and backward pass) beside"
        f" {memory.shared / 1e9:.2f} GB of weights that the workers of a node share"
    )
    if limit:
        line += f", and has {limit / 1e9:.2f} GB"
    if limit and need > limit:
        line += "; a node runs fewer workers, or lower --step3_batch_size in a new --train_dir"
    context.log.say(line)
