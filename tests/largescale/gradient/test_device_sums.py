"""Gradients summed on the device have the digits of NumPy's sums in float64."""

import numpy as np
import tensorflow as tf

from yt8m.largescale.gradient.device_sums import DeviceSums


def test_sums_are_those_of_numpy_to_the_last_digit():
    rng = np.random.default_rng(0)
    shapes = [(300, 40), (7,)]
    scales = 10.0 ** rng.integers(-6, 6, 25)  # float32 alone would lose the small ones
    batches = [[(s * rng.normal(size=x)).astype(np.float32) for x in shapes] for s in scales]
    sums = DeviceSums([tf.TensorShape(x) for x in shapes])
    for _ in range(2):  # the second time after other sums
        sums.clear()
        for parts in batches:
            sums.add([tf.constant(p) for p in parts])
        for i, got in enumerate(sums.arrays()):
            total = np.zeros(shapes[i])
            for parts in batches:
                total += parts[i]
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, total.astype(np.float32))
            single = sum((parts[i] for parts in batches), np.zeros(shapes[i], np.float32))
            assert (got != single).any(), "float32 has other digits here"


def test_no_batch_gives_zeros():
    sums = DeviceSums([tf.TensorShape([2, 3])])
    sums.clear()
    np.testing.assert_array_equal(sums.arrays()[0], np.zeros((2, 3), np.float32))
