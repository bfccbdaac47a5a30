"""The release fixes the meaning of the bytes; these are its numbers."""

import numpy as np

from yt8m.data.records.quantization import ValuesCutOff, dequantize, quantize


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


def test_values_that_are_cut_off_are_counted():
    cut = ValuesCutOff()
    cut.add("rgb", np.array([[-2.1, -2.0, 0.0], [2.0, 2.05, 3.0]]))
    cut.add("audio", np.zeros((2, 4)))
    assert cut.line().startswith("3 of the 6 values of rgb are beyond -2 to 2.02,")
    assert "audio" not in cut.line()


def test_nothing_is_said_of_values_that_fit():
    cut = ValuesCutOff()
    cut.add("rgb", dequantize(np.arange(256, dtype=np.uint8)))
    assert cut.line() == ""
