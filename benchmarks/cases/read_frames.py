"""Reading frame-level records of 300 frames, beside TensorFlow's parser on the same shards.

The parser alone leaves the frames as strings; ours also decodes them into uint8 [B, T, D], and the
labels into [B, K].
"""

from benchmarks.harness.reading import reading

BENCHMARK = reading(
    "read-frames",
    "read 300-frame records, batch 128",
    "frame",
    128,
    "tf.io.parse_sequence_example",
    0.9,
)
