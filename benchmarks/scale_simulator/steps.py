"""Hours and bytes of each step of the alternation."""

from __future__ import annotations

import math
from typing import Union

import numpy as np

from benchmarks.scale_simulator.cluster import Slowest, both, driver_seconds, makespan, reading
from benchmarks.scale_simulator.costs import Costs

Found = dict[str, Union[float, str]]


def simulate(costs: Costs, workers: int) -> Found:
    """Return the hours, bytes and limits of one alternation on `workers` workers."""
    rng = np.random.default_rng(costs.seed)
    nodes = math.ceil(workers / costs.workers_a_node)
    one, all_nodes = joint(costs, workers, 1), joint(costs, workers, nodes)
    best = min(one, all_nodes, key=lambda j: j.seconds)
    found: Found = {
        "workers": workers,
        "nodes": nodes,
        "step1_one_hours": one.seconds / 3600.0,
        "step1_all_hours": all_nodes.seconds / 3600.0,
        "step1_bound": best.bound,
        **_features(costs, workers, rng),
        **_partitions(costs, workers),
        **_step_3(costs, workers, rng),
    }
    parts = ("features_hours", "moe_hours", "step3_hours")
    cycle = sum(float(found[part]) for part in parts)
    found["cycle_hours"] = cycle
    found["total_hours"] = best.seconds / 3600.0 + cycle
    return found


def joint(costs: Costs, workers: int, nodes: int) -> Slowest:
    """Return the seconds of step 1 on `nodes` machines, with its validations.

    Adam waits in each step for the sum of all gradients, which a ring of machines takes 2 (n - 1)
    / n times through each network (`--strategy=multi_worker`). A machine has at least a video.
    """
    frames = costs.joint_frames if costs.level == "frame" else 1
    experts = costs.joint_experts
    flop = 3.0 * (costs.aggregator_flop(frames) + costs.head_flop(experts))
    busy = min(nodes, costs.joint_batch)
    videos = math.ceil(costs.joint_batch / busy)
    own = min(workers, costs.workers_a_node)  # a machine's workers
    read = reading(
        costs, videos * costs.record_bytes, costs.read_mb * own, busy, busy * costs.workers_a_node
    )
    step = both(videos * flop, read, costs.gflops * own)
    gradient = 4.0 * (costs.aggregator_weights + costs.head_weights(experts))
    reduce = 2.0 * (busy - 1) / busy * gradient / (costs.network_mb * 1e6)
    validation = validate(costs, workers, experts, on_records=True)
    steps = costs.joint_epochs * costs.videos / costs.joint_batch
    times = [
        Slowest(steps * step.seconds, step.bound),
        Slowest(steps * reduce, "all-reduce"),
        Slowest(costs.joint_epochs * validation, "validation"),
    ]
    return Slowest(sum(t.seconds for t in times), max(times).bound)


def validate(costs: Costs, workers: int, experts: float, on_records: bool) -> float:
    """Return the seconds of a validation, on records or on stored features.

    The driver computes with all workers' cores of its machine, and the metrics with one.
    """
    flop, size = costs.head_flop(experts), float(costs.width * costs.feature_bytes)
    if on_records:
        flop, size = flop + costs.aggregator_flop(costs.frames), costs.record_bytes
    metrics = costs.classes * costs.score_seconds
    own = min(workers, costs.workers_a_node)
    if costs.validation == "driver":
        read = reading(costs, size, costs.read_mb * own, 1, own)
        return costs.validation_videos * (both(flop, read, costs.gflops * own).seconds + metrics)
    read = reading(costs, size, costs.read_mb, workers, workers)
    each = both(flop, read, costs.gflops).seconds + metrics
    tasks = math.ceil(costs.validation_videos * size / (costs.shard_mb * 1e6))
    own_part = costs.validation_videos * each / workers + costs.task_seconds
    return max(own_part, driver_seconds(costs, tasks))


def _features(costs: Costs, workers: int, rng: np.random.Generator) -> Found:
    """Return the costs of step 2's features: a forward pass over all frames, whose v is written.

    They are compared with their checksums where a store has no index.
    """
    tasks = max(1, math.ceil(costs.videos * costs.record_bytes / (costs.shard_mb * 1e6)))
    busy = min(workers, tasks)
    size = costs.videos / tasks * costs.record_bytes
    read = reading(costs, size, costs.read_mb, busy, workers)
    task = both(costs.videos / tasks * costs.aggregator_flop(costs.frames), read, costs.gflops)
    overhead = costs.task_seconds + costs.pipeline_seconds
    seconds, repeated = makespan(tasks, task.seconds + overhead, workers, costs, rng)
    driver = driver_seconds(costs, tasks)
    stored = costs.videos * costs.width * costs.feature_bytes
    checkers = busy if costs.features_checked == "tasks" else 1
    checked = reading(costs, stored / checkers, costs.disk_mb, checkers, checkers)
    return {
        "features_tasks": tasks,
        "features_hours": max(seconds, driver) / 3600.0,
        "features_bound": "the driver" if driver > seconds else task.bound,
        "features_again": repeated,
        "features_tb": stored / 1e12,
        "verify_hours": checked.seconds / 3600.0,
    }


def _partitions(costs: Costs, workers: int) -> Found:
    """Return the costs of step 2's partitions, and of the driver between two epochs."""
    n, weights = costs.videos, costs.head_weights(costs.mean_experts)
    parts = min(costs.partitions or workers, costs.classes)
    busy = min(parts, workers)
    nodes = math.ceil(busy / costs.workers_a_node)
    rounds = math.ceil(parts / workers)
    flop = n * costs.partition_flop() / parts
    size = n * (costs.width * costs.feature_bytes + costs.label_bytes)
    readers = busy if costs.features_read == "partition" else nodes
    read = reading(costs, size, costs.disk_mb, readers, busy)
    epoch = both(flop, read, costs.gflops)
    # The driver joins the partitions' weights into one head, and writes the model.
    head = 4.0 * weights
    driver = 2.0 * reading(costs, head, costs.disk_mb, 1, 1).seconds + driver_seconds(costs, parts)
    validation = validate(costs, workers, costs.mean_experts, on_records=False)
    on_records = validate(costs, workers, costs.mean_experts, on_records=True)
    times = [
        Slowest(costs.moe_epochs * rounds * epoch.seconds, epoch.bound),
        Slowest(costs.moe_epochs * driver, "the driver"),
        Slowest(costs.moe_epochs * validation + on_records, "validation"),
    ]
    window = costs.window_mb / 1e3 * (1.0 + costs.label_bytes / (costs.width * costs.feature_bytes))
    weights_gb = 12.0 * weights / parts / 1e9
    return {
        "moe_parts": parts,
        "moe_hours": sum(t.seconds for t in times) / 3600.0,
        "moe_epochs_hours": times[0].seconds / 3600.0,
        "moe_epochs_bound": epoch.bound,
        "moe_driver_hours": times[1].seconds / 3600.0,
        "moe_validation_hours": times[2].seconds / 3600.0,
        "moe_bound": max(times).bound,
        "moe_read_tb": costs.moe_epochs * readers * rounds * size / 1e12,
        "moe_gb_a_worker": weights_gb,
        "moe_worker_gb": weights_gb + window + costs.process_gb,
        "head_gb": head / 1e9,
    }


def _step_3(costs: Costs, workers: int, rng: np.random.Generator) -> Found:
    """Return the costs of step 3: the aggregator's gradient, through the frozen head."""
    nodes = math.ceil(workers / costs.workers_a_node)
    shards = math.ceil(costs.videos * costs.record_bytes / (costs.shard_mb * 1e6))
    tasks = costs.step3_tasks(shards, costs.shard_mb)
    aggregator, head = costs.step3_flop()
    flop = aggregator + head
    busy, videos = min(workers, tasks), costs.videos / tasks
    read = reading(costs, videos * costs.record_bytes, costs.read_mb, busy, workers)
    task = both(videos * flop, read, costs.gflops)
    seconds, repeated = makespan(tasks, task.seconds + costs.task_seconds, workers, costs, rng)
    gradient, network = 4.0 * costs.aggregator_weights, costs.network_mb * 1e6
    hops = max(1.0, math.log2(nodes + 1))
    levels = max(1, math.ceil(math.log(max(tasks, 2), 8)))
    reduce = tasks * gradient / (nodes * network) + levels * gradient / network
    driver = driver_seconds(costs, tasks)
    validation = validate(costs, workers, costs.mean_experts, on_records=True)
    # The driver submits and waits while the tasks run.
    times = [
        max(Slowest(seconds, task.bound), Slowest(driver, "the driver")),
        Slowest(gradient / network * hops, "broadcast"),
        Slowest(reduce, "reduce"),
        Slowest(validation, "validation"),
    ]
    iteration = sum(t.seconds for t in times)
    head_bytes = 4.0 * costs.head_weights(costs.mean_experts)
    sharing = min(workers, costs.workers_a_node) if costs.head_copies == "node" else 1
    frames = costs.frames if costs.level == "frame" else 1
    activations = costs.step3_copies * 4.0 * costs.step3_batch * frames * costs.width
    return {
        "step3_tasks": tasks,
        "iteration_minutes": iteration / 60.0,
        "map_minutes": times[0].seconds / 60.0,
        "reduce_minutes": (times[1].seconds + reduce) / 60.0,
        "validation_minutes": validation / 60.0,
        "driver_minutes": driver / 60.0,
        "iteration_bound": max(times).bound,
        "iteration_again": repeated,
        "head_share": head / flop,
        "step3_gb": (head_bytes / sharing + activations) / 1e9 + costs.process_gb,
        "traffic_tb": (tasks + nodes) * gradient / 1e12,
        "step3_hours": (costs.iterations * iteration + head_bytes / network * hops) / 3600.0,
    }


def workers_for(costs: Costs, hours: float, most: int = 1 << 17) -> int:
    """Return the fewest workers, a power of two times a node's, on which all takes so long at most.

    Returns:
      0 if there are none up to `most`.
    """
    workers = costs.workers_a_node
    while workers <= most:
        if float(simulate(costs, workers)["total_hours"]) <= hours:
            return workers
        workers *= 2
    return 0
