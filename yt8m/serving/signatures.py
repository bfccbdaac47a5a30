"""The functions of an exported model: their inputs, their outputs, and the names of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from yt8m.data.records.sampling import FrameSampling
from yt8m.data.schema import RecordSchema
from yt8m.models.core.base import Inputs, Yt8mModel
from yt8m.serving.inputs import array_types, from_arrays, from_floats, from_records
from yt8m.serving.settings import Signature


@dataclasses.dataclass(frozen=True)
class Signatures:
    """A model as TensorFlow functions whose inputs and outputs have names.

    Attributes:
      model: a built model.
      schema: schema of the run's records.
      sampling: which frames of a video are used.
      names: names of the K classes.
      top_k: number of best classes in the answers; at most K of them are returned.
    """

    model: Yt8mModel
    schema: RecordSchema
    sampling: FrameSampling
    names: Sequence[str]
    top_k: int

    def probabilities(self, inputs: Inputs) -> tf.Tensor:
        """Return the probabilities [B, K] of a batch, in inference mode."""
        batch = {key: value for key, value in inputs.items() if key in self.model.input_keys}
        return tf.cast(self.model(batch, training=False), tf.float32)

    def records(self, example_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the best classes of serialised records [N].

        Source: the names of the starter code's export (docs/sources.md#serving-signatures), to
        which `class_names` is added.
        """
        batch = from_records(example_bytes, self.schema, self.sampling)
        return {"video_id": batch["id"], **self._best(self.probabilities(batch))}

    def arrays(self, **arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the best classes, and the probabilities of all classes, for arrays."""
        scores = self.probabilities(from_arrays(arrays, self.schema, self.sampling))
        return {"probabilities": scores, **self._best(scores)}

    def probabilities_of(self, *arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the probabilities of all classes for arrays, in the order of `array_types`."""
        batch = from_arrays(dict(zip(array_types(self.schema), arrays)), self.schema, self.sampling)
        return {"probabilities": self.probabilities(batch)}

    def mediapipe(self, rgb_and_audio: tf.Tensor, num_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the probabilities of all classes, by MediaPipe's names."""
        batch = from_floats(rgb_and_audio, num_frames, self.schema, self.sampling)
        return {"predictions": self.probabilities(batch)}

    def _best(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        best, classes = tf.math.top_k(scores, min(self.top_k, self.schema.num_classes))
        texts = tf.gather(tf.constant(list(self.names)), classes)
        return {"class_indexes": classes, "class_names": texts, "predictions": best}

    def all(self) -> dict[Signature, Any]:
        """Return each signature of the model as a concrete function.

        MediaPipe's is missing where the model takes more than frames, or no frames.
        """
        found: dict[Signature, Any] = {
            "records": _function(
                self.records, {"example_bytes": tf.TensorSpec([None], tf.string, "example_bytes")}
            ),
            "arrays": _function(self.arrays, array_types(self.schema)),
        }
        if self.schema.level == "frame" and not self.schema.video_names:
            width = self.schema.feature_size
            found["mediapipe"] = _function(
                self.mediapipe,
                {
                    "rgb_and_audio": tf.TensorSpec(
                        [None, None, width], tf.float32, "rgb_and_audio"
                    ),
                    "num_frames": tf.TensorSpec([None, 1], tf.int32, "num_frames"),
                },
            )
        return found


def _function(answer: Callable[..., dict[str, tf.Tensor]], types: dict[str, tf.TensorSpec]) -> Any:
    return tf.function(answer).get_concrete_function(**types)
