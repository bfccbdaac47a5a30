"""The release fixes the meaning of the bytes; these are its numbers."""

import numpy as np

from yt8m.data.records.quantization import dequantize, quantize


def test_golden_values():
    x = dequantize(np.array([0, 127, 128, 255], np.uint8))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, [-1.9921875, -3.06e-5, 0.0156556, 2.0078125], atol=1e-6)


def test_round_trip_of_every_byte():
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(quantize(dequantize(every)), every)


def test_out_of_range_is_clipped():
    np.testing.assert_array_equal(quantize(np.array([-9.0, 9.0])), [0, 255])


def test_error_is_half_a_bin():
    x = np.random.default_rng(0).uniform(-1.99, 2.0, 1000).astype(np.float32)
    assert np.abs(dequantize(quantize(x)) - x).max() <= 2 / 255 + 1e-6
