"""Tensors that use the memory of arrays which several processes of a node share."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import tensorflow as tf

_ALIGNED = 64  # bytes; TensorFlow's kernels take no memory that begins elsewhere
_LARGE = 1 << 16  # bytes; less is copied


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """Return a tensor of an array's values that nothing may write to.

    An object store hands a process arrays that cannot be written to, because others read the same
    memory, and `tf.constant` would copy them. This copies none that is large and aligned. The array
    must outlive the tensor.
    """
    if array.nbytes < _LARGE or array.ctypes.data % _ALIGNED or not array.flags.c_contiguous:
        return tf.constant(array)
    # DLPack cannot say that memory is read-only, so NumPy refuses to hand such an array on.
    raw: Any = (ctypes.c_byte * array.nbytes).from_address(array.ctypes.data)
    return tf.experimental.dlpack.from_dlpack(
        np.frombuffer(raw, array.dtype).reshape(array.shape).__dlpack__()
    )
