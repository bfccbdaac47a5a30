"""Time and bytes of the alternating trainer on M workers, from unit costs; `benchmarks/SCALE.md` explains and shows it.

    python benchmarks/scale_simulator.py                       # 500 M videos, 16,675 classes, 50 to 5,000 workers
    python benchmarks/scale_simulator.py --videos=11790 --classes=3862 --workers=1,2 --level=video

Every assumption is an argument with its default; nothing is measured here and no TensorFlow is needed.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import math
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Costs:
    """Unit costs and sizes; fields are the arguments of the command line.

    Attributes:
      videos, classes: N and K.
      level: "frame" or "video".
      frames, frame_features: a video's frames, and bytes (and features) of a frame.
      video_features: of a video-level record, float32.
      width: W, of every layer of the aggregator.
      mean_experts: experts of a class on average in step 2 (eq. 4 gives a class at most E_max).
      joint_experts, joint_epochs, joint_frames: of step 1.
      moe_epochs: passes of step 2.
      iterations: of step 3.
      gflops: sustained by a worker in matrix products, at the trainer's efficiency.
      read_mb: a worker's reading of records, MB/s.
      disk_mb: a worker's sequential reading of stored features, MB/s.
      network_mb: of a node, MB/s; workers_a_node share it.
      workers_a_node: processes a node.
      feature_bytes: of a stored feature (4: float32, 2: float16).
      process_gb: of a worker of step 2 without its weights and window: TensorFlow, the batches in work.
      window_mb: of features that such a worker shuffles among.
      label_bytes: of a video's labels in the window (8 of a bound, 4 of each label).
      task_seconds: overhead of a task.
      task_mb: of records a task reads.
      spread: standard deviation of a task's log time (stragglers).
      deaths: of a worker, per hour.
    """

    videos: float = 500e6
    classes: int = 16_675
    level: str = "frame"
    frames: int = 300
    frame_features: int = 3_548
    video_features: int = 3_804
    width: int = 2_048
    mean_experts: float = 40.0
    joint_experts: float = 5.0
    joint_epochs: float = 1.0
    joint_frames: int = 30
    moe_epochs: int = 5
    iterations: int = 45
    gflops: float = 62.0
    read_mb: float = 200.0
    disk_mb: float = 500.0
    network_mb: float = 1_250.0
    workers_a_node: int = 8
    feature_bytes: int = 2
    process_gb: float = 0.71
    window_mb: float = 268.0
    label_bytes: int = 20
    task_seconds: float = 0.08
    task_mb: float = 512.0
    spread: float = 0.2
    deaths: float = 0.005
    seed: int = 0

    @property
    def record_bytes(self) -> float:
        """Of one video's record."""
        return float(
            self.frames * self.frame_features if self.level == "frame" else 4 * self.video_features
        )

    @property
    def aggregator_weights(self) -> float:
        """Frame-level and video-level layer (DBoF-Basic), or the latter alone."""
        w = self.width
        return (
            float(self.frame_features * w + w * w)
            if self.level == "frame"
            else float(self.video_features * w)
        )

    def head_weights(self, experts: float) -> float:
        """Gates with the dummy and experts of all classes."""
        return self.classes * self.width * (2.0 * experts + 1.0)

    def forward_flop(self, experts: float, frames: int) -> tuple[float, float]:
        """Return floating-point operations of a video's forward pass: (aggregator, head)."""
        w = self.width
        a = (
            2.0 * (frames * self.frame_features * w + w * w)
            if self.level == "frame"
            else 2.0 * self.video_features * w
        )
        return a, 2.0 * self.head_weights(experts)


def makespan(
    count: int, seconds: float, workers: int, costs: Costs, rng: np.random.Generator
) -> tuple[float, int]:
    """Return (seconds until all tasks are done, tasks done again), each taken by the first free worker.

    A worker dies at a random moment, at `costs.deaths` an hour; what it was doing is done again from its start.
    """
    if seconds > 100 * 3600.0 or count < 1:
        return math.inf if count else 0.0, 0
    factors = np.exp(rng.normal(-0.5 * costs.spread**2, costs.spread, count))
    free: list[float] = [0.0] * min(workers, count)
    again, end = 0, 0.0
    queue = list(seconds * factors + costs.task_seconds)
    at = 0
    while at < len(queue):
        start = heapq.heappop(free)
        took = queue[at]
        dies = rng.exponential(3600.0 / costs.deaths) if costs.deaths else math.inf
        if dies < took:
            queue.append(took)
            again += 1
            took = dies
        end = max(end, start + took)
        heapq.heappush(free, start + took)
        at += 1
    return end, again


def simulate(costs: Costs, workers: int) -> dict[str, float]:
    """Return hours and terabytes of each part of one alternation on so many workers."""
    rng = np.random.default_rng(costs.seed)
    flops, n = costs.gflops * 1e9, costs.videos
    nodes = math.ceil(workers / costs.workers_a_node)
    tasks = max(1, math.ceil(n * costs.record_bytes / (costs.task_mb * 1e6)))
    each = n / tasks
    found: dict[str, float] = {"workers": workers, "nodes": nodes, "tasks": tasks}

    # Step 1: data-parallel; its records, frames drawn, are read once an epoch.
    frames = costs.joint_frames if costs.level == "frame" else 1
    a, h = costs.forward_flop(costs.joint_experts, frames)
    per_video = max(3.0 * (a + h) / flops, costs.record_bytes / (costs.read_mb * 1e6))
    found["step1_hours"] = costs.joint_epochs * n * per_video / workers / 3600.0

    # Step 2, features: one forward pass over all frames; v is written.
    a, _ = costs.forward_flop(0.0, costs.frames)
    per_video = max(a / flops, costs.record_bytes / (costs.read_mb * 1e6))
    seconds, again = makespan(tasks, each * per_video, workers, costs, rng)
    found["features_hours"], found["features_again"] = seconds / 3600.0, again
    found["features_tb"] = n * costs.width * costs.feature_bytes / 1e12

    # Step 2, partitions: each worker reads all features once an epoch and trains its classes.
    weights = costs.head_weights(costs.mean_experts)
    parts = min(workers, costs.classes)
    compute = (
        4.0 * n * weights / parts / flops
    )  # forward, and the gradient of the kernels; none of the features
    reading = n * costs.width * costs.feature_bytes / (costs.disk_mb * 1e6)
    found["moe_hours"] = costs.moe_epochs * max(compute, reading) / 3600.0
    found["moe_bound_by_reading"] = float(reading > compute)
    found["moe_read_tb"] = costs.moe_epochs * parts * n * costs.width * costs.feature_bytes / 1e12
    found["moe_gb_a_worker"] = 12.0 * weights / parts / 1e9
    window = costs.window_mb / 1e3 * (1.0 + costs.label_bytes / (costs.width * costs.feature_bytes))
    found["moe_worker_gb"] = found["moe_gb_a_worker"] + window + costs.process_gb
    found["head_gb"] = 4.0 * weights / 1e9

    # Step 3: forward, and the gradient of the aggregator, through the frozen head.
    a, h = costs.forward_flop(costs.mean_experts, costs.frames)
    per_video = max((3.0 * a + 2.0 * h) / flops, costs.record_bytes / (costs.read_mb * 1e6))
    seconds, again = makespan(tasks, each * per_video, workers, costs, rng)
    gradient = 4.0 * costs.aggregator_weights
    broadcast = gradient / (costs.network_mb * 1e6) * max(1.0, math.log2(nodes + 1))
    levels = max(1, math.ceil(math.log(max(tasks, 2), 8)))
    reduce = tasks * gradient / (nodes * costs.network_mb * 1e6) + levels * gradient / (
        costs.network_mb * 1e6
    )
    found["iteration_minutes"] = (seconds + broadcast + reduce) / 60.0
    found["iteration_again"] = again
    found["reduce_minutes"] = reduce / 60.0
    found["head_share"] = 2.0 * h / (3.0 * a + 2.0 * h)
    found["step3_hours"] = costs.iterations * (seconds + broadcast + reduce) / 3600.0
    found["traffic_tb"] = (tasks + nodes) * gradient / 1e12
    found["cycle_hours"] = found["features_hours"] + found["moe_hours"] + found["step3_hours"]
    return found


_ROWS = (
    ("step1_hours", "step 1, joint training: hours", 1),
    ("features_hours", "step 2, features: hours", 2),
    ("features_tb", "step 2, features on disk: TB", 2),
    ("moe_hours", "step 2, partitions: hours", 1),
    ("moe_bound_by_reading", "… bound by reading (1) or computing (0)", 0),
    ("moe_read_tb", "… features read by all: TB", 0),
    ("moe_gb_a_worker", "… weights and moments of a worker: GB", 3),
    ("moe_worker_gb", "… all that it holds: GB", 2),
    ("head_gb", "the head: GB", 1),
    ("iteration_minutes", "step 3, an iteration: minutes", 1),
    ("reduce_minutes", "… of which the reduce: minutes", 2),
    ("head_share", "… share of the frozen head in its arithmetic", 2),
    ("iteration_again", "… tasks done again after deaths", 0),
    ("traffic_tb", "… gradients and weights sent: TB", 2),
    ("step3_hours", "step 3: hours", 1),
    ("cycle_hours", "a cycle of steps 2 and 3: hours", 1),
)


def table(results: Sequence[dict[str, float]]) -> str:
    """Return results as a Markdown table, a column for each number of workers."""
    lines = [
        "| workers | " + " | ".join(f"{int(r['workers']):,}" for r in results) + " |",
        "|---|" + "---|" * len(results),
    ]
    for key, name, digits in _ROWS:
        lines.append(f"| {name} | " + " | ".join(f"{r[key]:,.{digits}f}" for r in results) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 0. A mistake ends it with code 2, as argparse does."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", default="50,500,5000", help="comma list")
    for field in dataclasses.fields(Costs):
        # Any other word would be taken for "video" by what follows.
        choices = ("frame", "video") if field.name == "level" else None
        parser.add_argument(
            f"--{field.name}",
            type=type(field.default),
            default=field.default,
            choices=choices,
            help=f"default {field.default}",
        )
    values = vars(parser.parse_args(argv))
    given = values.pop("workers")
    workers = [int(w) if w.strip().isdigit() else 0 for w in given.split(",")]
    if min(workers) < 1:
        parser.error(f"--workers={given}: a comma list of whole numbers from 1 was expected")
    may_be_zero = ("task_seconds", "spread", "deaths", "seed")
    wrong = [
        k
        for k, v in values.items()
        if k != "level" and not (v > 0 or (v == 0 and k in may_be_zero))
    ]
    if wrong:
        parser.error(f"--{wrong[0]}={values[wrong[0]]}: a number above 0 was expected")
    costs = Costs(**values)
    print(table([simulate(costs, w) for w in workers]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
