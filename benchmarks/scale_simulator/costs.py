"""The unit costs and sizes from which the simulator computes; each is an argument of its command.

Where the trainer can do something in two ways, the default is what it does today.
"""

from __future__ import annotations

import dataclasses
import math

# An argument that is a word -> what it may be; the first is the default.
CHOICES = {
    "level": ("frame", "video"),
    "validation": ("tasks", "driver"),
    "features_read": ("node", "partition"),
    "features_checked": ("tasks", "driver"),
    "head_copies": ("node", "process"),
}
MAY_BE_ZERO = (
    "task_seconds",
    "pipeline_seconds",
    "driver_task_seconds",
    "driver_square_seconds",
    "score_seconds",
    "spread",
    "deaths",
    "seed",
    "validation_videos",
    "partitions",
)


@dataclasses.dataclass(frozen=True)
class Costs:
    """Unit costs and sizes.

    Attributes:
      videos: N, the number of videos.
      validation_videos: videos of a validation, one after each epoch and iteration.
      classes: K, the number of classes.
      level: "frame" or "video".
      frames: frames of a video's record, all of which steps 2 and 3 read.
      frame_features: features, and bytes, of a frame.
      video_features: float32 features of a video-level record.
      width: W, the width of every layer of the aggregator.
      mean_experts: mean experts of a class in step 2 (eq. 4 gives a class E_max at most).
      joint_experts: experts of a class in step 1.
      joint_epochs: epochs of step 1.
      joint_frames: frames that step 1 draws from a video.
      joint_batch: videos of a step of Adam in step 1, over all machines.
      moe_epochs: epochs of step 2.
      partitions: number of parts of the classes in step 2 (`--num_partitions`); 0 is one for each
        worker.
      features_read: who reads all features once an epoch, each "node" or each "partition".
      features_checked: where stored features are compared with their checksums, in "tasks", if
        the store has no index, or by the "driver", whenever a run resumes.
      head_copies: who has a copy of the frozen head in step 3, each "node" or each "process".
      iterations: iterations of step 3.
      validation: where it is computed, by "tasks" on all workers or by the "driver".
      gflops: GFLOP/s that a worker sustains in matrix products, at the trainer's efficiency.
      score_seconds: processor seconds of the metrics for a score (a video and a class).
      read_mb: MB/s at which a worker reads and parses records.
      disk_mb: MB/s at which a worker reads stored features, or the driver the parts of a model.
      network_mb: MB/s of a node's network, which its workers share.
      storage_mb: MB/s of the shared file system for all workers together.
      workers_a_node: workers of a node.
      feature_bytes: bytes of a stored feature (4: float32, 2: float16).
      process_gb: memory of a worker of step 2 without its weights and window: TensorFlow and the
        batches in progress.
      window_mb: MB of features that such a worker shuffles among.
      label_bytes: bytes of a video's labels in the window (8 for a bound, 4 for each label).
      step3_batch: videos of a batch in step 3.
      step3_copies: float32 values that step 3 keeps for each of a frame's `width` outputs.
      shard_mb: MB of a shard of records: step 2's features take a task for each.
      task_mb: MB up to which step 3 joins small shards into a task.
      task_seconds: a worker's overhead of a task.
      pipeline_seconds: its further overhead of a task that starts a tf.data pipeline (features).
      driver_task_seconds: the driver's processor seconds of a task.
      driver_square_seconds: its seconds of a pair of tasks: what grows with the square.
      spread: standard deviation of the logarithm of a task's time (stragglers).
      deaths: deaths of a worker in an hour.
      seed: decides the random times.
    """

    videos: float = 500e6
    validation_videos: float = 10e6
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
    joint_batch: int = 512
    moe_epochs: int = 5
    partitions: int = 0
    features_read: str = "node"
    features_checked: str = "tasks"
    head_copies: str = "node"
    iterations: int = 45
    validation: str = "tasks"
    gflops: float = 62.0
    score_seconds: float = 3.8e-8
    read_mb: float = 200.0
    disk_mb: float = 500.0
    network_mb: float = 1_250.0
    storage_mb: float = 100_000.0
    workers_a_node: int = 8
    feature_bytes: int = 2
    process_gb: float = 0.71
    window_mb: float = 268.0
    label_bytes: int = 20
    step3_batch: int = 512
    step3_copies: float = 9.0
    shard_mb: float = 512.0
    task_mb: float = 8.4
    task_seconds: float = 0.08
    pipeline_seconds: float = 0.2
    driver_task_seconds: float = 6.4e-4
    driver_square_seconds: float = 0.0
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

    def aggregator_flop(self, frames: int) -> float:
        """Return the FLOP of a video's forward pass up to the head."""
        if self.level == "video":
            return 2.0 * self.video_features * self.width
        return 2.0 * (frames * self.frame_features * self.width + self.width**2)

    def head_flop(self, experts: float) -> float:
        """Return the FLOP of a video's forward pass through the head."""
        return 2.0 * self.head_weights(experts)

    def partition_flop(self) -> float:
        """Return step 2's FLOP of a video in all partitions, once an epoch.

        They are the forward pass and the gradient of the kernels; the features need none.
        """
        return 2.0 * self.head_flop(self.mean_experts)

    def step3_flop(self) -> tuple[float, float]:
        """Return step 3's FLOP of a video: (aggregator, frozen head, whose weights need none)."""
        head = 2.0 * self.head_flop(self.mean_experts)
        return 3.0 * self.aggregator_flop(self.frames), head

    def step3_tasks(self, shards: int, shard_mb: float) -> int:
        """Return step 3's tasks: whole shards, as many as fit into `task_mb`, at least one."""
        return math.ceil(shards / max(1, int(self.task_mb / shard_mb)))
