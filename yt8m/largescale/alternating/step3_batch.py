"""How many videos a worker of step 3 computes together: chosen once for a run, and kept.

The last digits of a gradient depend on where its batches are cut, so the number must not follow
from which worker computes what, nor change when a run is resumed on another machine.
"""

from __future__ import annotations

import dataclasses
from typing import Callable

import tensorflow as tf

from yt8m.files import write_json
from yt8m.largescale.alternating.context import Context
from yt8m.largescale.gradient.shard_gradient import GradientSettings
from yt8m.largescale.gradient.worker_memory import WorkerMemory, predict
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.folder import ALTERNATION
from yt8m.stored import exists, intact, read_object

_FILE = f"{ALTERNATION}/step3_batch.json"
_SHARE = 0.8  # of a worker's memory; predictions are within a fifth of what is taken


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
    path, given = context.run.file(_FILE), context.settings.step3_batch_size
    advice = "delete it: the batch size is then chosen again, which changes the last digits."
    kept = 0
    if exists(path):
        values = read_object(path, advice)
        with intact(path, advice):
            kept = int(values["batch_size"])
            if kept < 1:
                raise ValueError(f"batch_size is {kept}")
    local, limit = context.executor.local, context.executor.worker_memory()

    def predicted(rows: int) -> tuple[GradientSettings, WorkerMemory]:
        source = dataclasses.replace(settings.source, batch_size=rows)
        changed = dataclasses.replace(settings, source=source)
        return changed, predict(model, changed)

    def need(memory: WorkerMemory) -> int:
        return memory.growth if local else memory.own

    rows = given or kept or settings.source.batch_size
    chosen, memory = predicted(rows)
    while not (given or kept) and limit and rows > 1 and need(memory) > _SHARE * limit:
        rows //= 2
        chosen, memory = predicted(rows)
    if not kept or kept != rows:
        tf.io.gfile.makedirs(path.rpartition("/")[0])
        write_json(path, {"batch_size": rows, "predicted": dataclasses.asdict(memory)})
    context.executor.task_memory = need(memory)
    _say(context.log.say, rows, memory, need(memory), limit)
    return chosen


def _say(
    say: Callable[[str], None], rows: int, memory: WorkerMemory, need: int, limit: int | None
) -> None:
    line = (
        f"step 3 computes {rows} videos together: a worker needs about {need / 1e9:.2f} GB"
        f" ({memory.step / 1e9:.2f} GB for a batch's forward and backward pass) beside"
        f" {memory.shared / 1e9:.2f} GB of weights that the workers of a node share"
    )
    if limit:
        line += f", and has {limit / 1e9:.2f} GB"
    if limit and need > limit:
        line += "; a node runs fewer workers, or lower --step3_batch_size in a new --train_dir"
    say(line)
