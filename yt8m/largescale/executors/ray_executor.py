"""The executor that runs tasks on a Ray cluster.

Ray places the tasks, sends values and repeats lost work.

The guarantees, and who gives them:

- Weights are broadcast once for each node and version. The object store keeps one copy, which the
  node's workers read in place.
- The task of a lost worker runs again (`max_retries`). Ray recomputes results that were on a lost
node from their lineage. A result is a slot that is filled once, and the sum is taken over the
  slots in order, so a task counts once however often it ran. Every sum carries the range of the
  tasks in it, only neighbouring ranges are added, and the last one must be that of all tasks.
- The driver's time is proportional to the number of calls. Short tasks share a call
  (`yt8m.largescale.executors.calls`), a few calls for each worker are sent before the others have
  ended, and those that have ended are taken together.
- A worker that is stuck in a task (a file system that does not answer) ends itself when it has made
  no progress for `task_timeout`, and Ray treats it as lost; a task that goes on may take any time.
  Ray's health checks find a machine that stops answering. Neither notices a process that somebody
  has paused (SIGSTOP): the call fails when no task at all has ended, nor any worker reported
  progress, for twice the time-out. Ray starts no second copy of a slow task, so keep shards small.
- After a call fails, its other tasks go on until `close()` or the end of the driver, when the
  cluster ends the job's tasks. They are not cancelled one by one: if a task completes at that
  moment, Ray (2.60) fails an internal check and ends the whole driver, so that the error is never
  reported. After its own death the trainer resumes from its last iteration.
- Equal results: every worker has the same number of TensorFlow threads and the same oneDNN setting.
  Mixed processors, or GPUs beside CPUs, may still differ in the last digit. Where the cluster has
  GPUs, every task asks for one, or for the share `gpus`; `cpu_nodes` lets the others work too.
- Ray listens on the network and runs whatever it is sent, so it needs an access token. A cluster
  that is started here uses RAY_AUTH_MODE=token (the token is in ~/.ray/auth_token). On a cluster of
  your own, set it on every node with the same token file (`ray get-auth-token --generate`), and
  leave it on.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from yt8m.errors import UserError
from yt8m.largescale.executors.base import Combine, TaskFunction, TreeReduction, new_key
from yt8m.largescale.executors.calls import Call, CallSizes, Job, joined, run_tasks
from yt8m.largescale.executors.heartbeat import Heartbeats

_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # its kernels round in another way than TensorFlow's own
_POLL_SECONDS = 1.0  # between two questions whether the run must end
_COUNT_SECONDS = 10.0  # between two looks at how many workers there are
_FLYING_A_WORKER = 2  # calls that were sent and have not ended: no worker waits for the driver
_LEAST_FLYING = 32
_BATCHES = 8  # in which the calls that are flying end
_GRACE = 60.0  # seconds beyond two time-outs in which a cluster may start a worker


class RayHandle(NamedTuple):
    """The key of a broadcast value, and its reference in the object store."""

    key: str
    ref: Any


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError(
            "--executor: Ray is not installed; `pip install '.[cluster]'` installs it. Without the"
            " flag the run computes in this process."
        ) from None
    return ray


class RayExecutor:
    """An `Executor` on Ray; see `make_executor` for the arguments."""

    local = False

    def __init__(
        self,
        address: str,
        workers: int = 0,
        threads: int = 1,
        task_timeout: float = 1800.0,
        max_retries: int = 4,
        gpus: float = -1.0,
        cpu_nodes: int = 0,
    ):
        if address == "ray":
            # Ray reads these when it is imported. Nobody else needs the cluster of one run, so it
            # listens on the loopback interface; the first variable is Ray's switch for that.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray = ray = _import_ray()
        self.check: Callable[[], None] = lambda: None
        self.task_memory = 0
        self._limit, self._threads = float(task_timeout), int(threads)
        self._counted, self._counted_at = 0, -math.inf  # workers, and when
        self._idle = 0.0  # seconds since a call ended, not counting those of the caller
        self._own = not ray.is_initialized()
        if self._own:
            count = workers or max(1, (os.cpu_count() or 1) // threads)
            self._connect(address, count, shares_gpus=0 < gpus < 1)
        self._gpus = float(ray.cluster_resources().get("GPU", 0))
        self._share = gpus if gpus >= 0 else float(self._gpus >= 1)  # of a GPU, for each task
        if self._share > self._gpus:
            self.close()
            raise UserError(
                f"--executor={address}?gpus={gpus:g}: the cluster has {self._gpus:g} GPUs; name"
                " fewer, or 0."
            )
        self._cpu_nodes = bool(cpu_nodes and self._share)
        # max_calls=0: by default each task with a GPU gets a new process, and with it a cold model.
        again = {"max_retries": max_retries, "max_calls": 0}
        self._task = ray.remote(num_cpus=threads, num_returns=2, **again)(run_tasks)
        self._combine = ray.remote(num_cpus=0, **again)(joined)
        self._heartbeats = ray.remote(num_cpus=0, max_restarts=-1)(Heartbeats).remote()
        self._heard = 0  # heartbeats when they were last asked for

    def _connect(self, address: str, workers: int, shares_gpus: bool) -> None:
        pinned = {
            "TF_NUM_INTRAOP_THREADS": str(self._threads),
            "TF_NUM_INTEROP_THREADS": "1",
            "OMP_NUM_THREADS": str(self._threads),
            "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        }
        # Without it TensorFlow decides by the processor, and so as in this process.
        if _ONEDNN in os.environ:
            pinned[_ONEDNN] = os.environ[_ONEDNN]
        if shares_gpus:  # By default TensorFlow takes all of a GPU's memory.
            pinned["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        options: dict[str, Any] = {
            "address": address,
            "runtime_env": {"env_vars": pinned},
            "log_to_driver": False,
            "logging_level": "ERROR",
        }
        if address == "ray":
            cores = workers * self._threads
            options.update(address="local", num_cpus=cores, include_dashboard=False)
        try:
            if ":" in address:  # Ray itself tries for minutes
                host, _, port = address.rpartition("//")[2].rpartition(":")
                socket.create_connection((host, int(port)), timeout=20).close()
            self._ray.init(**options)
        except Exception as error:  # each reason has its own class
            reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            raise UserError(
                f"--executor={address}: no cluster could be joined ({reason}). Is its head running"
                " (`ray start --head`) with the same versions of Ray and Python, and with this"
                " machine's ~/.ray/auth_token?"
            ) from error

    def worker_memory(self) -> int | None:
        """Return the least memory of a node that its tasks may take, over its number of workers."""
        shares = [memory // max(1, int(cores // self._threads)) for memory, cores in self._nodes()]
        return min(shares, default=None)

    def _nodes(self) -> list[tuple[int, float]]:
        """Return the memory and the processors of each node that runs tasks."""
        found = (node["Resources"] for node in self._ray.nodes() if node["Alive"])
        return [
            (int(has["memory"]), has["CPU"])
            for has in found
            if has.get("memory") and has.get("CPU", 0) >= self._threads
        ]

    def _asking(self, **options: Any) -> list[Any]:
        """Return the remote functions: with a share of a GPU, if any, and with processors alone.

        No node would ever start a task that asks for more memory than the largest one has.
        """
        memory = None
        if self.task_memory:
            memory = min(self.task_memory, max((m for m, _ in self._nodes()), default=0)) or None
        kinds: list[dict[str, Any]] = [{"num_gpus": self._share}]
        if self._cpu_nodes:
            hidden = {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}
            kinds.append({"num_gpus": 0, "runtime_env": hidden})
        return [self._task.options(memory=memory, **kind, **options) for kind in kinds]

    def _most_flying(self) -> list[int]:
        """Return how many calls of each of these functions may have been sent and not ended."""
        workers = self.workers()
        if not self._cpu_nodes:
            return [max(_LEAST_FLYING, _FLYING_A_WORKER * workers)]
        with_gpu = min(workers, int(self._gpus / self._share))
        return [_FLYING_A_WORKER * max(1, with_gpu), _FLYING_A_WORKER * (workers - with_gpu)]

    def broadcast(self, value: Any) -> RayHandle:
        """Put the value into the object store, from which each node fetches it once."""
        return RayHandle(new_key(), self._ray.put(value))

    def map(
        self, function: TaskFunction, tasks: Sequence[Any], shared: Mapping[str, RayHandle]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task id, value) as the calls complete that run the tasks.

        Raises:
          UserError: a task raised one, lost its worker in every attempt, or nothing ends any more.
        """
        counted = 0
        # With its part as the second half of its one value, a call's result is fetched at once.
        remotes = self._asking(num_returns=1)
        for call, (_, part) in self._completed(remotes, function, None, tasks, shared):
            if (part.start, part.stop) != (call.start, call.stop):
                raise RuntimeError(f"the results from task {part.start} on arrived as {call}'s")
            counted += len(part.value)
            yield from enumerate(part.value, part.start)
        if counted != len(tasks):
            raise RuntimeError(f"{counted} of {len(tasks)} tasks were counted")

    def map_reduce(
        self,
        function: TaskFunction,
        tasks: Sequence[Any],
        shared: Mapping[str, RayHandle],
        combine: Combine,
    ) -> Any:
        """Return all values, combined by tasks near the data; the driver combines the last totals.

        Raises:
          UserError: a task raised one, lost its worker in every attempt, or nothing ends any more.
        """
        # A total of references becomes a reference; the cluster may then drop what it includes.
        tree = TreeReduction(
            lambda refs, ref: [*(refs or []), ref],
            lift=lambda refs: self._combine.remote(combine, *refs),
        )
        for _ in self._completed(self._asking(), function, combine, tasks, shared, tree):
            pass
        last = tree.result()
        waiting = list(last)
        while waiting:
            for ref in self._ended(waiting):
                waiting.remove(ref)
        total = joined(combine, *self._get(last))
        if (total.start, total.stop) != (0, len(tasks)):
            raise RuntimeError(f"tasks {total.start} to {total.stop} of {len(tasks)} were counted")
        return total.value

    def _completed(
        self,
        remotes: Sequence[Any],
        function: TaskFunction,
        combine: Combine | None,
        tasks: Sequence[Any],
        shared: Mapping[str, RayHandle],
        tree: TreeReduction | None = None,
    ) -> Iterator[tuple[Call, Any]]:
        """Yield each call that runs some tasks with the value of its first reference, as they end.

        Args:
          remotes: `run_tasks` in each way that a task may run; it returns one reference, or two if
            there is a tree.
          function: the task function.
          combine: combines the values of a call; None lists them.
          tasks: the tasks.
          shared: handles of what the tasks read.
          tree: receives the second reference of each call, in order and before the call has ended.
        """
        keys = {name: handle.key for name, handle in shared.items()}
        job = self._ray.put(Job(self._limit, function, combine, keys, self._heartbeats))
        values = [handle.ref for handle in shared.values()]
        sizes = CallSizes(len(tasks))
        flying: dict[Any, tuple[Call, int]] = {}  # with the number of its function
        self._idle = 0.0
        while sizes.left or flying:
            room = self._most_flying()
            for _, kind in flying.values():
                room[kind] -= 1
            for kind in (k for k, places in enumerate(room) for _ in range(places)):
                if not sizes.left:
                    break
                call = sizes.next(self.workers())
                sent = (call.start, tasks[call.start : call.stop])
                ref = remotes[kind].remote(job, sent, *values)
                if tree is not None:
                    ref, part = ref
                    tree.add(part, call.level)
                flying[ref] = call, kind
            ended = self._ended(list(flying))
            for ref, value in zip(ended, self._get(ended)):
                call, _ = flying.pop(ref)
                sizes.took(call, value if tree is not None else value[0])
                yield call, value

    def workers(self) -> int:
        """Return how many tasks the cluster can run at once; nodes may come and go."""
        if time.monotonic() > self._counted_at + _COUNT_SECONDS:
            self._counted_at = time.monotonic()
            there = self._ray.cluster_resources()
            self._gpus = float(there.get("GPU", 0))
            self._counted = int(there.get("CPU", 0) // self._threads)
        return self._counted

    def _ended(self, refs: list[Any]) -> list[Any]:
        """Wait about a second, and return some references whose values are there, if any.

        Ray looks at all of them in each wait. A share of them is waited for, so that the time for
        all is proportional to their number.
        """
        began, count = time.monotonic(), max(1, len(refs) // _BATCHES)
        ended, _ = self._ray.wait(refs, num_returns=count, timeout=_POLL_SECONDS)
        self.check()
        self._idle = 0.0 if ended else self._idle + time.monotonic() - began
        patience = 2 * self._limit + _GRACE
        if self._idle > patience:
            if not self._workers_go_on():
                raise UserError(
                    f"--executor: no task ended or went on within {patience:.0f} s; `ray status`"
                    " shows whether the cluster has a worker with enough processors. The same"
                    " command resumes."
                )
            self._idle = 0.0
        return list(ended)

    def _workers_go_on(self) -> bool:
        """Return whether a worker has reported progress since this was last asked."""
        try:
            heard = self._ray.get(self._heartbeats.count.remote(), timeout=_GRACE)
        except self._ray.exceptions.RayError:
            return False
        before, self._heard = self._heard, heard
        return bool(heard != before)

    def _get(self, refs: list[Any]) -> list[Any]:
        errors = self._ray.exceptions
        lost = (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError)
        try:
            values: list[Any] = self._ray.get(refs)
            return values
        except errors.RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise
        except lost as error:
            raise UserError(
                "--executor: a task lost its worker on every attempt"
                f" ({str(error).splitlines()[0]}). It needs more memory than a worker has: use"
                f" smaller shards; or it makes no progress for {self._limit:.0f} s: set"
                " --executor=...?task_timeout=SECONDS."
            ) from error

    def close(self) -> None:
        """Leave the cluster, which then ends this job's tasks; stop it if it was started here."""
        if self._own:
            self._ray.shutdown()
