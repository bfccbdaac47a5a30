"""Multi-hot rows, and indices beyond the classes."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.records.labels import multi_hot
from yt8m.errors import UserError


def rows(pairs, beyond="raise"):
    pairs = np.array(pairs, np.int64).reshape(-1, 2)
    return tf.function(multi_hot)(
        tf.constant(pairs[:, 0]), tf.constant(pairs[:, 1]), tf.constant(3), 4, beyond
    ).numpy()


def test_duplicates_and_empty_rows():
    np.testing.assert_array_equal(
        rows([(0, 3), (0, 1), (0, 3), (2, 0)]), [[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    )
    np.testing.assert_array_equal(rows([]), np.zeros((3, 4)))


def test_beyond_is_dropped():
    np.testing.assert_array_equal(
        rows([(0, 4), (1, 2), (2, -1)], "drop"), [[0] * 4, [0, 0, 1, 0], [0] * 4]
    )


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (4, "but there are 4 classes.*--num_classes"),
        (4715, "but there are 4 classes.*--num_classes"),
        (-3, "but labels are 0 or more"),
    ],
)
def test_beyond_is_named(label, problem):
    message = rf"label {label}, {problem}"
    with pytest.raises(UserError, match=message), BadRecords().explained(4):
        rows([(0, 1), (1, label)])
