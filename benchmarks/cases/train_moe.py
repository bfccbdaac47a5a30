"""Training of MoeModel with two mixtures on the real sample, beside the starter code.

Both read the same 80 shards in the same batches of 1024, take the starter code's settings, shuffle,
do not validate, and save the model during the run. The speed in the step is the median over what
each logs: the starter code times a step with its wait for data; ours times the steps of a
second, with that wait and with the metrics that it prints. The limit is the step's two products:
of the features with the weights of all gates and experts, and of the features with their gradient;
the features need no gradient.
"""

from benchmarks.harness import compare, limits, ours, starter
from benchmarks.harness.benchmark import Benchmark

_FLAGS = ("--model=MoeModel", "--batch_size=1024")
_SIZE = ("--num_epochs=3", "--num_epochs=2")
_OUTPUTS = 3862 * 5  # three gates and two experts for each class

BENCHMARK = Benchmark(
    "train-moe",
    "train MoeModel, batch 1024",
    [
        *ours.trainers("video", (*_FLAGS, "--progress_seconds=1"), _SIZE),
        starter.trainer("video", _FLAGS, _SIZE),
        *limits.both_products(1024, [f"1024x1152x{_OUTPUTS}", f"1152x1024x{_OUTPUTS}"]),
    ],
    compare.training({"float32": 1.6, "bfloat16": 3.2}, {"float32": 0.8, "bfloat16": 0.6}),
    profile=["--model=MoeModel", "--batch_size=1024"],
)
