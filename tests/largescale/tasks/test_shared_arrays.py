"""Tensors over arrays that cannot be written to, such as those of an object store."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.largescale.tasks.shared_arrays import as_tensor


def read_only(count, aligned=True):
    memory = np.arange(count + 32, dtype=np.float32)
    first = (-memory.ctypes.data // 4) % 16
    array = memory[first + (not aligned) :][:count].reshape(2, -1)
    array.flags.writeable = False
    return memory, array


@pytest.mark.parametrize("count", [10, 1 << 16])
@pytest.mark.parametrize("aligned", [True, False])
def test_a_tensor_has_the_values_and_copies_none_that_is_large_and_aligned(count, aligned):
    memory, array = read_only(count, aligned)
    tensor = as_tensor(array)
    before = array.copy()
    product = tf.function(lambda t: tf.linalg.matmul(t, t, transpose_b=True))
    assert tensor.shape == array.shape
    np.testing.assert_array_equal(tensor, before)
    np.testing.assert_allclose(product(tensor), before @ before.T, rtol=1e-4)
    memory += 1.0  # as only the owner can
    shared = bool((tensor.numpy() == before + 1.0).all())
    assert shared == (aligned and count == 1 << 16)
