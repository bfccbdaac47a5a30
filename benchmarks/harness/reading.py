"""Reading alone as a benchmark: ours, TensorFlow's bare parser, and no parsing at all."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import limits, ours
from benchmarks.harness.benchmark import Benchmark, Command, Comparison, Contender
from benchmarks.harness.work import Work

_WAYS = {"ours": "ours", "bare": "TFRecordDataset and {}", "raw": "records unparsed"}


def reading(name: str, title: str, level: str, batch_size: int, parser: str, goal: float):
    """Return the benchmark of reading one level's records.

    Args:
      name: for `--only`.
      title: the title of the row.
      level: "video" or "frame".
      batch_size: records in a batch.
      parser: TensorFlow's function, for the table.
      goal: the ratio to reach beside it.
    """

    def contender(how: str) -> Contender:
        def command(work: Work, folder: Path) -> Command:
            return ours.python(
                *("-m", "benchmarks.children.reading", f"--how={how}", f"--level={level}"),
                *(f"--pattern={work.records(level)}", f"--batch_size={batch_size}"),
            )

        label = _WAYS[how].format(parser)
        return Contender(how, label, command, lambda output, _: limits.last_json(output))

    speed = "videos_per_second"
    lines = [Comparison("ours", "bare", speed, goal), Comparison("ours", "raw", speed)]
    return Benchmark(name, title, [contender(how) for how in _WAYS], lines)
