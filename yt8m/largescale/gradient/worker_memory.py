"""How much memory a process of step 3 takes at its peak, from its shapes and before it starts."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from yt8m.compat import KERAS_3, tf_variable
from yt8m.data.records.frame import frame_type
from yt8m.data.schema import SEGMENT_FRAMES
from yt8m.largescale.gradient.graph_memory import peak_bytes
from yt8m.largescale.gradient.shard_gradient import GradientSettings, GradientWorker
from yt8m.largescale.tasks.prefetch import AHEAD
from yt8m.models.core.base import Yt8mModel

# Python with TensorFlow and a traced function; measured with TensorFlow 2.21 and 2.15.
PROCESS_BYTES = (700 if KERAS_3 else 600) * 10**6
_SUM_BYTES = 8 + 4  # of a gradient: the total in float64 and the last batch's
_HELD = 3  # batches beside those ahead: in use, also as tensors; whole in the reader, which waits


@dataclasses.dataclass(frozen=True)
class WorkerMemory:
    """The parts of a process's memory while it computes gradients, in bytes.

    Attributes:
      process: what the process takes without a model.
      weights: the model's variables; a head that is computed by blocks has none in a worker.
      shared: weights as they were received, and such a head; processes of a node share them.
      sums: the sums of gradients.
      batches: the batch in use, and those that are read ahead of it.
      step: the tensors of a batch's forward and backward pass.
    """

    process: int
    weights: int
    shared: int
    sums: int
    batches: int
    step: int

    @property
    def total(self) -> int:
        """All of it, as the kernel counts a process's resident memory."""
        return sum(dataclasses.asdict(self).values())

    @property
    def own(self) -> int:
        """What each process of a node needs beside what all of them share."""
        return self.total - self.shared

    @property
    def growth(self) -> int:
        """What a process that has a model already needs in addition."""
        return self.sums + self.batches + self.step


def predict(model: Yt8mModel, settings: GradientSettings) -> WorkerMemory:
    """Return the memory for the batches of `settings.source`.

    The model's function is traced for a batch of that size, and not computed. A batch is as large
    as its shape: videos have the largest number of frames.

    Args:
      model: a built model.
      settings: what is differentiated.
    """
    worker, specs = GradientWorker(settings, model), _batch_specs(model, settings)
    traced = tf.function(worker.traced, input_signature=[specs]).get_concrete_function()
    batch = sum(spec.shape.num_elements() * spec.dtype.size for spec in specs.values())
    trained = _bytes(worker.variables["weights"])
    weights = trained + _bytes(worker.variables["fixed"])
    return WorkerMemory(
        process=PROCESS_BYTES,
        weights=weights,
        shared=weights + _bytes(worker.head_values()),
        sums=trained // 4 * _SUM_BYTES,
        batches=(AHEAD + _HELD) * batch,
        step=peak_bytes(tf.nest.flatten(traced.structured_outputs)),
    )


def _batch_specs(model: Yt8mModel, settings: GradientSettings) -> dict[str, tf.TensorSpec]:
    rows, schema = settings.source.batch_size, settings.source.schema
    frames = SEGMENT_FRAMES if schema.segment_labels else schema.max_frames
    specs = {
        key: tf.TensorSpec([rows, *value.shape[1:]], value.dtype)
        for key, value in model.example_inputs(1, frames).items()
    }
    if "frames" in specs:
        specs["frames"] = tf.TensorSpec(specs["frames"].shape, frame_type(schema))
    specs["labels"] = tf.TensorSpec([rows, schema.num_classes], tf.uint8)
    if schema.segment_labels:
        specs["weights"] = tf.TensorSpec([rows, schema.num_classes], tf.float32)
    return specs


def _bytes(values: list[object]) -> int:
    return sum(4 * int(np.prod(tf_variable(v).shape)) for v in values)
