"""Workers, nodes and the file system that all of them share: who waits for what."""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

import numpy as np

from benchmarks.scale_simulator.costs import Costs

COMPUTING = "computing"


class Slowest(NamedTuple):
    """The seconds of some work, and what takes so long."""

    seconds: float
    bound: str


def reading(costs: Costs, size: float, own_mb: float, readers: int, workers: int) -> Slowest:
    """Return how long `readers` take that each read `size` bytes at the same time.

    Args:
      costs: the unit costs.
      size: the bytes of one reader.
      own_mb: MB/s of one reader by itself.
      readers: how many read at the same time.
      workers: over how many workers they are spread, which tells how many share a node's network.
    """
    nodes = math.ceil(workers / costs.workers_a_node)
    rates = {
        "a worker's reading": own_mb,
        "a node's network": costs.network_mb / max(1.0, readers / nodes),
        "the file system": costs.storage_mb / readers,
    }
    bound = min(rates, key=lambda name: rates[name])
    return Slowest(size / (rates[bound] * 1e6), bound)


def both(flop: float, read: Slowest, gflops: float) -> Slowest:
    """Return the slower of computing and reading, which happen at the same time."""
    return max(Slowest(flop / (gflops * 1e9), COMPUTING), read, key=lambda s: s.seconds)


def driver_seconds(costs: Costs, tasks: int) -> float:
    """Return the driver's processor seconds of a map of `tasks` tasks."""
    return costs.driver_task_seconds * tasks + costs.driver_square_seconds * tasks**2


def makespan(
    count: int, seconds: float, workers: int, costs: Costs, rng: np.random.Generator
) -> tuple[float, int]:
    """Return (seconds until all tasks are done, tasks that were repeated).

    The first free worker takes the next task. A worker dies at a random moment, `costs.deaths`
    times an hour, and its task is repeated from the start.

    Args:
      count: the number of tasks.
      seconds: the mean time of a task, with its overhead.
      workers: the number of workers.
      costs: the unit costs.
      rng: decides the times and deaths.
    """
    if not costs.spread and not costs.deaths:
        return math.ceil(count / workers) * seconds, 0
    if seconds > 100 * 3600.0 or count < 1:
        return math.inf if count else 0.0, 0
    factors = np.exp(rng.normal(-0.5 * costs.spread**2, costs.spread, count))
    tasks = (seconds * factors).tolist()
    free = [0.0] * min(workers, count)  # when each worker is free
    dies: list[float] = []  # after how many seconds of the next task its worker would die
    repeated, end = 0, 0.0
    for duration in tasks:  # grows by the tasks of dead workers
        if costs.deaths and not dies:
            dies = rng.exponential(3600.0 / costs.deaths, 1024).tolist()
        lasts = min(duration, dies.pop()) if costs.deaths else duration
        if lasts < duration:
            tasks.append(duration)
            repeated += 1
        stop = heapq.heapreplace(free, free[0] + lasts) + lasts
        end = max(end, stop)
    return end, repeated
