"""Training of DbofModel 8192/1024 on 30 frames, beside the starter code and Model Garden.

Ours and the starter code read the same frame-level records of 300 frames in batches of 128, sample
30 frames of each video, and do not validate. Model Garden's DBoF has the same sizes; its own
`train_step` gets one batch from memory, because its wheel lacks the reader: its figure has no
reading, and ours has. The limit is the products of a step: two with the frames (the gradient of
their normalization follows from that of the weights), and three for each smaller layer.
"""

from pathlib import Path

from benchmarks.harness import compare, limits, ours, starter
from benchmarks.harness.benchmark import Benchmark, Command, Comparison, Contender
from benchmarks.harness.settings import ROOT
from benchmarks.harness.work import Work

_FLAGS = ("--model=DbofModel", "--batch_size=128")
_SIZE = ("--max_steps=24", "--max_steps=5")
_OUTPUTS = 3862 * 5
_PRODUCTS = [
    *("3840x1152x8192", "1152x3840x8192"),
    *("128x8192x1024", "8192x128x1024", "128x1024x8192"),
    *(f"128x1024x{_OUTPUTS}", f"1024x128x{_OUTPUTS}", f"128x{_OUTPUTS}x1024"),
]


def _garden(dtype: str) -> Contender:
    def command(work: Work, folder: Path) -> Command:
        program = ROOT / "benchmarks" / "children" / "garden_dbof.py"
        flags = ["--batch_size=128", f"--steps={work.size(20, 5)}", f"--dtype={dtype}"]
        python = work.settings.garden_python
        return Command([python, str(program), *flags], folder, {"PYTHONPATH": ""})

    label = f"Model Garden {dtype}"
    return Contender(
        f"garden {dtype}", label, command, lambda output, _: limits.last_json(output), "garden"
    )


BENCHMARK = Benchmark(
    "train-dbof",
    "train DbofModel 8192/1024, 30 frames, batch 128",
    [
        # A speed for each step; its metrics of 128 videos take no time to speak of.
        *ours.trainers("frame", (*_FLAGS, "--progress_seconds=0"), _SIZE),
        starter.trainer("frame", _FLAGS, _SIZE),
        *map(_garden, ours.DTYPES),
        *limits.both_products(128, _PRODUCTS),
    ],
    [
        *compare.training({"float32": 2.2, "bfloat16": 4.0}),
        Comparison("float32", "garden float32", compare.SPEED, 1.25),
        Comparison("bfloat16", "garden float32", compare.SPEED, 2.2),
        Comparison("bfloat16", "garden bfloat16", compare.SPEED),
    ],
    profile=["--model=DbofModel", "--batch_size=128"],
)
