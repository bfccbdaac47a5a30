"""A model as an ONNX file, from arrays to probabilities."""

from __future__ import annotations

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.process.guard import reason
from yt8m.serving.inputs import array_types
from yt8m.serving.signatures import Signatures

_OPSET = 17  # the newest of tf2onnx 1.16 and newer; ONNX Runtime reads it since 1.12
_LARGEST = 2**31 - 1  # bytes of a protocol buffer


def onnx_file(signatures: Signatures) -> bytes:
    """Return the file of a model whose batch and number of frames may have any size.

    Args:
      signatures: the model's, which computes in float32.

    Raises:
      UserError: tf2onnx is not installed, or the model is too large or has an operation that ONNX
        lacks.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError:
        raise UserError(
            "--format=onnx needs tf2onnx, which is not installed: pip install 'yt8m[onnx]'."
        ) from None
    name = type(signatures.model).__name__
    size = 4 * signatures.model.count_params()
    if size > _LARGEST:
        raise UserError(
            f"--format=onnx: the weights of this {name} have {size / 2**30:.1f} GiB, and an ONNX"
            " file holds 2; export a SavedModel."
        )
    types = list(array_types(signatures.schema).values())
    function = tf.function(signatures.probabilities_of)
    try:
        model, _ = tf2onnx.convert.from_function(function, types, opset=_OPSET)
        onnx.checker.check_model(model)  # tf2onnx logs an operation that it lacks, and goes on
    except Exception as error:  # whatever the converter raises on an operation that it lacks
        raise UserError(
            f"--format=onnx: tf2onnx cannot convert this {name} ({reason(error)}); export a"
            " SavedModel."
        ) from error
    return model.SerializeToString()
