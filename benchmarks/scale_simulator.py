"""Time and bytes of the alternating trainer on M workers, computed from unit costs.

`benchmarks/SCALE.md` explains the model and shows its results.

    # 500 M videos, 16,675 classes, 50 to 5,000 workers
    python -m benchmarks.scale_simulator
    python -m benchmarks.scale_simulator --videos=11790 --classes=3862 --workers=1,2 --level=video

Every assumption is an argument with a default. Nothing is measured, and TensorFlow is not needed.
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
    """Unit costs and sizes; each field is an argument of the command line.

    Attributes:
      videos: N, the number of videos.
      classes: K, the number of classes.
      level: "frame" or "video".
      frames: frames of a video.
      frame_features: features, and bytes, of a frame.
      video_features: float32 features of a video-level record.
      width: W, the width of every layer of the aggregator.
      mean_experts: mean experts of a class in step 2 (eq. 4 gives a class E_max at most).
      joint_experts: experts of a class in step 1.
      joint_epochs: epochs of step 1.
      joint_frames: frames that step 1 draws from a video.
      moe_epochs: epochs of step 2.
      iterations: iterations of step 3.
      gflops: GFLOP/s that a worker sustains in matrix products, at the trainer's efficiency.
      read_mb: MB/s at which a worker reads records.
      disk_mb: MB/s at which a worker reads stored features in sequence.
      network_mb: MB/s of a node's network, which its workers share.
      workers_a_node: workers of a node.
      feature_bytes: bytes of a stored feature (4: float32, 2: float16).
      process_gb: memory of a worker of step 2 without its weights and window: TensorFlow and the
        batches in progress.
      window_mb: MB of features that such a worker shuffles among.
      label_bytes: bytes of a video's labels in the window (8 for a bound, 4 for each label).
      task_seconds: overhead of a task.
      task_mb: MB of records that a task reads.
      spread: standard deviation of the logarithm of a task's time (stragglers).
      deaths: deaths of a worker in an hour.
      seed: decides the random times.
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
        """The bytes of a video's record."""
        if self.level == "frame":
            return float(self.frames * self.frame_features)
        return float(4 * self.video_features)

    @property
    def aggregator_weights(self) -> float:
        """The weights of both layers (DBoF-Basic), or of the video-level layer alone."""
        if self.level == "frame":
            return float(self.frame_features * self.width + self.width**2)
        return float(self.video_features * self.width)

    def head_weights(self, experts: float) -> float:
        """Return the weights of all gates, with the dummy expert, and of all experts."""
        return self.classes * self.width * (2.0 * experts + 1.0)

    def forward_flop(self, experts: float, frames: int) -> tuple[float, float]:
        """Return the FLOP of a video's forward pass: (aggregator, head)."""
        weights = self.video_features * self.width
        if self.level == "frame":
            weights = frames * self.frame_features * self.width + self.width**2
        return 2.0 * weights, 2.0 * self.head_weights(experts)

    def video_seconds(self, flop: float) -> float:
        """Return a worker's seconds for a video: it computes and reads at the same time."""
        return max(flop / (self.gflops * 1e9), self.record_bytes / (self.read_mb * 1e6))


def makespan(
    count: int, seconds: float, workers: int, costs: Costs, rng: np.random.Generator
) -> tuple[float, int]:
    """Return (seconds until all tasks are done, tasks that were repeated).

    The first free worker takes the next task. A worker dies at a random moment, `costs.deaths`
    times an hour, and its task is repeated from the start.

    Args:
      count: the number of tasks.
      seconds: the mean time of a task.
      workers: the number of workers.
      costs: the unit costs.
      rng: decides the times and deaths.
    """
    if seconds > 100 * 3600.0 or count < 1:
        return math.inf if count else 0.0, 0
    factors = np.exp(rng.normal(-0.5 * costs.spread**2, costs.spread, count))
    tasks = list(seconds * factors + costs.task_seconds)
    free = [0.0] * min(workers, count)  # when each worker is free
    repeated, end = 0, 0.0
    for duration in tasks:  # grows by the tasks of dead workers
        start = heapq.heappop(free)
        dies = rng.exponential(3600.0 / costs.deaths) if costs.deaths else math.inf
        if dies < duration:
            tasks.append(duration)
            repeated += 1
        stop = start + min(dies, duration)
        end = max(end, stop)
        heapq.heappush(free, stop)
    return end, repeated


def simulate(costs: Costs, workers: int) -> dict[str, float]:
    """Return the hours and terabytes of each part of one alternation on `workers` workers."""
    rng = np.random.default_rng(costs.seed)
    nodes = math.ceil(workers / costs.workers_a_node)
    tasks = max(1, math.ceil(costs.videos * costs.record_bytes / (costs.task_mb * 1e6)))
    found: dict[str, float] = {"workers": workers, "nodes": nodes, "tasks": tasks}

    # Step 1 is data-parallel. It reads its records once an epoch and draws frames from them.
    frames = costs.joint_frames if costs.level == "frame" else 1
    flop = 3.0 * sum(costs.forward_flop(costs.joint_experts, frames))
    seconds = costs.joint_epochs * costs.videos * costs.video_seconds(flop) / workers
    found["step1_hours"] = seconds / 3600.0

    found.update(_features(costs, workers, tasks, rng))
    found.update(_partitions(costs, workers))
    found.update(_step_3(costs, workers, nodes, tasks, rng))
    found["cycle_hours"] = found["features_hours"] + found["moe_hours"] + found["step3_hours"]
    return found


def _features(costs: Costs, workers: int, tasks: int, rng: np.random.Generator) -> dict[str, float]:
    """Return the costs of step 2's features: a forward pass over all frames, whose v is written."""
    aggregator, _ = costs.forward_flop(0.0, costs.frames)
    task_seconds = costs.videos / tasks * costs.video_seconds(aggregator)
    seconds, repeated = makespan(tasks, task_seconds, workers, costs, rng)
    return {
        "features_hours": seconds / 3600.0,
        "features_again": repeated,
        "features_tb": costs.videos * costs.width * costs.feature_bytes / 1e12,
    }


def _partitions(costs: Costs, workers: int) -> dict[str, float]:
    """Return the costs of step 2's partitions, each of which reads all features every epoch."""
    n, weights = costs.videos, costs.head_weights(costs.mean_experts)
    parts = min(workers, costs.classes)
    # The forward pass and the gradient of the kernels; the features need none.
    compute = 4.0 * n * weights / parts / (costs.gflops * 1e9)
    feature_bytes = n * costs.width * costs.feature_bytes
    reading = feature_bytes / (costs.disk_mb * 1e6)
    window = costs.window_mb / 1e3 * (1.0 + costs.label_bytes / (costs.width * costs.feature_bytes))
    weights_gb = 12.0 * weights / parts / 1e9
    return {
        "moe_hours": costs.moe_epochs * max(compute, reading) / 3600.0,
        "moe_bound_by_reading": float(reading > compute),
        "moe_read_tb": costs.moe_epochs * parts * feature_bytes / 1e12,
        "moe_gb_a_worker": weights_gb,
        "moe_worker_gb": weights_gb + window + costs.process_gb,
        "head_gb": 4.0 * weights / 1e9,
    }


def _step_3(
    costs: Costs, workers: int, nodes: int, tasks: int, rng: np.random.Generator
) -> dict[str, float]:
    """Return the costs of step 3: the aggregator's gradient, through the frozen head."""
    aggregator, head = costs.forward_flop(costs.mean_experts, costs.frames)
    flop = 3.0 * aggregator + 2.0 * head
    task_seconds = costs.videos / tasks * costs.video_seconds(flop)
    seconds, repeated = makespan(tasks, task_seconds, workers, costs, rng)
    gradient = 4.0 * costs.aggregator_weights
    network = costs.network_mb * 1e6
    broadcast = gradient / network * max(1.0, math.log2(nodes + 1))
    levels = max(1, math.ceil(math.log(max(tasks, 2), 8)))
    reduce = tasks * gradient / (nodes * network) + levels * gradient / network
    iteration = seconds + broadcast + reduce
    return {
        "iteration_minutes": iteration / 60.0,
        "iteration_again": repeated,
        "reduce_minutes": reduce / 60.0,
        "head_share": 2.0 * head / flop,
        "step3_hours": costs.iterations * iteration / 3600.0,
        "traffic_tb": (tasks + nodes) * gradient / 1e12,
    }


_ROWS = (
    ("step1_hours", "step 1, joint training: hours", 1),
    ("features_hours", "step 2, features: hours", 2),
    ("features_tb", "step 2, features on disk: TB", 2),
    ("moe_hours", "step 2, partitions: hours", 1),
    ("moe_bound_by_reading", "… bound by reading (1) or computing (0)", 0),
    ("moe_read_tb", "… features read by all: TB", 0),
    ("moe_gb_a_worker", "… weights and moments of a worker: GB", 3),
    ("moe_worker_gb", "… its whole memory: GB", 2),
    ("head_gb", "the head: GB", 1),
    ("iteration_minutes", "step 3, an iteration: minutes", 1),
    ("reduce_minutes", "… of which the reduce: minutes", 2),
    ("head_share", "… share of the frozen head in the arithmetic", 2),
    ("iteration_again", "… tasks repeated after deaths", 0),
    ("traffic_tb", "… gradients and weights sent: TB", 2),
    ("step3_hours", "step 3: hours", 1),
    ("cycle_hours", "a cycle of steps 2 and 3: hours", 1),
)


def table(results: Sequence[dict[str, float]]) -> str:
    """Return results as a Markdown table with a column for each number of workers."""
    lines = [
        "| workers | " + " | ".join(f"{int(r['workers']):,}" for r in results) + " |",
        "|---|" + "---|" * len(results),
    ]
    for key, name, digits in _ROWS:
        lines.append(f"| {name} | " + " | ".join(f"{r[key]:,.{digits}f}" for r in results) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and return 0; argparse ends a mistake with code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", default="50,500,5000", help="numbers, separated by commas")
    for field in dataclasses.fields(Costs):
        # Any other word would be computed as "video".
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
        parser.error(f"--workers={given}: whole numbers from 1, separated by commas, were expected")
    may_be_zero = ("task_seconds", "spread", "deaths", "seed")
    for name, value in values.items():
        if name != "level" and not (value > 0 or (value == 0 and name in may_be_zero)):
            parser.error(f"--{name}={value}: a number above 0 was expected")
    costs = Costs(**values)
    print(table([simulate(costs, w) for w in workers]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
