"""A model as a LiteRT file (.tflite), from the arrays of one video to its probabilities."""

from __future__ import annotations

import re
import tempfile

import tensorflow as tf

from yt8m.data.schema import SEGMENT_FRAMES
from yt8m.errors import UserError
from yt8m.process.guard import reason
from yt8m.serving.inputs import array_types
from yt8m.serving.saved_model import save_functions
from yt8m.serving.settings import Quantize
from yt8m.serving.signatures import Signatures

_SIGNATURE = "arrays"


def litert_file(signatures: Signatures, quantize: Quantize = "none") -> bytes:
    """Return the file of a model of one video at a time, padded to the run's number of frames.

    Args:
      signatures: the model's, which computes in float32.
      quantize: "float16" stores the weights so, and "int8" stores large ones as whole numbers with
        a scale for each row (dynamic-range quantization).

    Raises:
      UserError: the model has an operation that LiteRT lacks.
    """
    schema = signatures.schema
    types = array_types(schema, 1, SEGMENT_FRAMES if schema.segment_labels else schema.max_frames)
    function = tf.function(signatures.probabilities_of).get_concrete_function(*types.values())
    with tempfile.TemporaryDirectory() as folder:
        save_functions(folder, signatures, {_SIGNATURE: function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, [_SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            return bytes(converter.convert())
        except Exception as error:  # the converter's own class has moved between versions
            raise UserError(_explained(error, type(signatures.model).__name__)) from error


def _explained(error: Exception, name: str) -> str:
    found = re.search(r"(?:Flex|Select TF|Custom) ops: ([\w, ]+)", str(error))
    why = f"LiteRT has no {found[1].strip()}" if found else reason(error)
    return f"--format=litert: this {name} cannot be converted ({why}); export a SavedModel or ONNX."
