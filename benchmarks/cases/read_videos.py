"""Reading video-level records, beside TensorFlow's parser on the same shards.

The parser alone leaves the labels as indices; ours also makes the multi-hot labels [B, K].
"""

from benchmarks.harness.reading import reading

BENCHMARK = reading(
    "read-videos", "read video-level records, batch 1024", "video", 1024, "tf.io.parse_example", 0.9
)
