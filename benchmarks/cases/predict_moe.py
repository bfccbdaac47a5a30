"""inference.py to a CSV as a whole process with a MoeModel on 57,584 videos.

These are the sample's 100 shards twice. The starter code's inference.py reads the same shards in
the same batches of 1024 and writes the same 20 classes a video; it needs ids as text in Python 3,
which `benchmarks/children/starter_inference.py` gives it. The limit is the products of all videos.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import limits, ours, starter, whole
from benchmarks.harness.benchmark import Benchmark, Command, Comparison
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
    [
        *whole.moe("inference.py", _flags, _starter, _count),
        *(
            limits.products(dtype, 1024, [f"1024x1152x{3862 * 5}"], examples=_VIDEOS)
            for dtype in ours.DTYPES
        ),
    ],
    [
        *(Comparison(dtype, "starter", "wall_seconds") for dtype in ours.DTYPES),
        Comparison("bfloat16", "", "wall_seconds", 8.0),
        Comparison(
            "float32", "products float32", "wall_seconds", 0.87, beside_metric="product_seconds"
        ),
        Comparison(
            "bfloat16", "products bfloat16", "wall_seconds", beside_metric="product_seconds"
        ),
        *(Comparison(dtype, "starter", "processor_seconds") for dtype in ours.DTYPES),
    ],
)
