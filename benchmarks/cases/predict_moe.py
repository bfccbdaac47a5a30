"""inference.py to a CSV as a whole process with a MoeModel on 57,584 videos.

These are the sample's 100 shards twice. The starter code's inference.py reads the same shards in
the same batches of 1024 and writes the same 20 classes a video; it needs ids as text in Python 3,
which `benchmarks/children/starter_inference.py` gives it. The limit is the products of all videos.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import starter, whole
from benchmarks.harness.benchmark import Benchmark, Command
from benchmarks.harness.work import Work

_VIDEOS = 57584


def _flags(work: Work, folder: Path) -> Sequence[str]:
    data = work.linked("predicted", work.size(200, 8))
    csv = folder / "predictions.csv"
    return [f"--input_data_pattern={data}", f"--output_file={csv}", "--batch_size=1024"]


def _starter(work: Work, flags: Sequence[str]) -> Command:
    return starter.inference(work.settings, *flags)


def _count(output: str, folder: Path) -> int:
    with open(folder / "predictions.csv") as lines:
        return sum(1 for _ in lines) - 1


BENCHMARK = Benchmark(
    "predict-moe",
    "inference.py to CSV, MoeModel, 57,584 videos",
    whole.moe("inference.py", _flags, _starter, _count, _VIDEOS),
    whole.comparisons({"bfloat16": 8.0}, {"float32": 0.87}),
)
