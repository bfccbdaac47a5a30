"""Records that do not parse are found in a batch, and the others are parsed."""

import pytest
import tensorflow as tf

from yt8m.data.records.isolate import parse_or_isolate
from yt8m.data.records.writers import video_record

GOOD = [video_record(b"a", {}, [1]), video_record(b"b", {}, [2, 3])]
GARBAGE = b"garbage \xff payload"
OF_ANOTHER_TYPE = tf.train.Example(
    features=tf.train.Features(
        feature={"labels": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))}
    )
).SerializeToString()


def labels_of(payloads):
    parsed = tf.io.parse_example(payloads, {"labels": tf.io.VarLenFeature(tf.int64)})
    return parsed["labels"].values.numpy().tolist()


@pytest.mark.parametrize("kind", [list, tf.constant])
@pytest.mark.parametrize("wrong", [GARBAGE, OF_ANOTHER_TYPE])
def test_the_others_are_parsed(kind, wrong):
    labels, problems = parse_or_isolate(labels_of, kind([GOOD[0], wrong, GOOD[1]]))
    assert labels == [1, 2, 3]
    assert problems[1].startswith("cannot be parsed (")
    assert problems[::2] == [None, None]


def test_a_batch_without_a_good_record():
    labels, problems = parse_or_isolate(labels_of, [GARBAGE])
    assert labels is None
    assert len(problems) == 1


def test_a_search_of_the_callers_own():
    labels, problems = parse_or_isolate(labels_of, [GARBAGE, GOOD[0]], lambda _: ["why", None])
    assert (labels, problems) == ([1], ["why", None])


def test_an_error_that_is_not_about_parsing_is_raised():
    def parse(_):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    with pytest.raises(tf.errors.ResourceExhaustedError):
        parse_or_isolate(parse, GOOD)
