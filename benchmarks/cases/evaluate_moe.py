"""eval.py as a whole process with a MoeModel on 50 shards (14,547 videos of the sample).

The starter code's eval.py reads the same shards in the same batches of 1024. Its metrics are of the
same kind; ours also write the average precision of every class.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import starter, whole
from benchmarks.harness.benchmark import Benchmark, Command
from benchmarks.harness.work import Work

_VIDEOS = 14547


def _flags(work: Work, folder: Path) -> Sequence[str]:
    data = work.linked("evaluated", work.size(50, 4))
    return [f"--eval_data_pattern={data}", "--batch_size=1024", "--run_once"]


def _starter(work: Work, flags: Sequence[str]) -> Command:
    return starter.command(work.settings, "eval.py", *flags)


def count(output: str, folder: Path) -> int:
    """Return the number of videos that our eval.py or the starter code's says it has processed."""
    found = re.findall(r"(?:^over |Total: examples_processed: )([\d,]+)", output, re.M)
    return int(found[-1].replace(",", "")) if found else 0


BENCHMARK = Benchmark(
    "eval-moe",
    "eval.py, MoeModel, 14,547 videos",
    whole.moe("eval.py", _flags, _starter, count, _VIDEOS),
    whole.comparisons({"float32": 7.0, "bfloat16": 5.0}),
)
