"""Training of LstmModel, two layers of 1024, on 300 frames, beside the starter code.

Both read the same frame-level records of 300 frames in batches of 32, take the starter code's
settings and do not validate. Few steps suffice: one takes seconds. The limit is the step's
products: those with a layer's inputs over all frames at once, and those with the state frame by
frame.
"""

from benchmarks.harness import compare, limits, ours, starter
from benchmarks.harness.benchmark import Benchmark

_FLAGS = ("--model=LstmModel", "--batch_size=32")
_SIZE = ("--max_steps=8", "--max_steps=4")
_OUTPUTS = 3862 * 5
_STATE = ["32x1024x4096*300", "32x4096x1024*300", "1024x9600x4096"]  # forward, back, weights
_PRODUCTS = [
    *("9600x1152x4096", "1152x9600x4096", *_STATE),
    *("9600x1024x4096", "1024x9600x4096", "9600x4096x1024", *_STATE),
    *(f"32x1024x{_OUTPUTS}", f"1024x32x{_OUTPUTS}", f"32x{_OUTPUTS}x1024"),
]

BENCHMARK = Benchmark(
    "train-lstm",
    "train LstmModel 2 × 1024, 300 frames, batch 32",
    [
        *ours.trainers("frame", (*_FLAGS, "--progress_seconds=0"), _SIZE),
        starter.trainer("frame", _FLAGS, _SIZE),
        *limits.both_products(32, _PRODUCTS),
    ],
    compare.training({"float32": 2.5, "bfloat16": 5.0}),
    profile=["--model=LstmModel", "--batch_size=32"],
)
