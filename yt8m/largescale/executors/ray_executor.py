"""The executor that runs tasks on a Ray cluster.

Ray places the tasks, sends values and repeats lost work.

The guarantees, and who gives them:

- Weights are broadcast once for each node and version. The object store keeps one copy, which the
  node's workers read in place.
- The task of a lost worker runs again (`max_retries`). Ray recomputes results that were on a lost
node from their lineage. A result is a slot that is filled once, and the sum is taken over the
  slots in order, so a task counts once however often it ran. The driver checks that the ids it
  summed are 0 .. n - 1.
- A worker that is stuck in a task (a file system that does not answer) ends itself after
  `task_timeout`, and Ray treats it as lost. Ray's health checks find a machine that stops
  answering. Neither notices a process that somebody has paused (SIGSTOP): the call fails when no
  task at all has ended for twice the time-out. Ray starts no second copy of a slow task, so keep
  shards small.
- After a call fails, its other tasks go on until `close()` or the end of the driver, when the
  cluster ends the job's tasks. They are not cancelled one by one: if a task completes at that
  moment, Ray (2.60) fails an internal check and ends the whole driver, so that the error is never
  reported. After its own death the trainer resumes from its last iteration.
- Equal results: every worker has the same number of TensorFlow threads and the same oneDNN setting.
  Mixed processors, or GPUs beside CPUs, may still differ in the last digit. Where the cluster has
  GPUs, every task asks for one.
- Ray listens on the network and runs whatever it is sent, so it needs an access token. A cluster
  that is started here uses RAY_AUTH_MODE=token (the token is in ~/.ray/auth_token). On a cluster of
  your own, set it on every node with the same token file (`ray get-auth-token --generate`), and
  leave it on.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from yt8m.errors import UserError
from yt8m.largescale.executors.base import (
    FAN,
    Broadcast,
    Combine,
    TaskFunction,
    check_counted,
    new_key,
)

_POLL_SECONDS = 1.0  # between two questions whether the run must end


class RayHandle(NamedTuple):
    """The key of a broadcast value, and its reference in the object store."""

    key: str
    ref: Any


@contextlib.contextmanager
def _ends_after(seconds: float) -> Iterator[None]:
    """End this process if the block takes longer, even if it waits in C code; Ray does the rest."""
    stderr = sys.__stderr__ or open(os.devnull, "w")  # noqa: SIM115 (open as long as the process)
    faulthandler.dump_traceback_later(seconds, exit=True, file=stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def run_task(
    limit: float,
    function: TaskFunction,
    task_id: int,
    task: Any,
    keys: dict[str, str],
    *values: Any,
) -> tuple[int, Any]:
    """Run one task in a worker.

    Returns:
      The task's id, which is small and tells the driver of the progress, and ([id], value), which
      stays in the object store.
    """
    shared = {name: Broadcast(key, value) for (name, key), value in zip(keys.items(), values)}
    with _ends_after(limit):
        return task_id, ([task_id], function(task, shared))


def run_combine(combine: Combine, *parts: tuple[list[int], Any]) -> tuple[list[int], Any]:
    """Return the ids of the tasks in `parts`, and the parts combined in their order."""
    ids: list[int] = []
    total = None
    for part_ids, value in parts:
        ids += part_ids
        total = combine(total, value)
    return ids, total


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
    ):
        if address == "ray":
            # Ray reads these when it is imported. Nobody else needs the cluster of one run, so it
            # listens on the loopback interface; the first variable is Ray's switch for that.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray = ray = _import_ray()
        self.check: Callable[[], None] = lambda: None
        self._limit, self._threads = float(task_timeout), int(threads)
        self._own = not ray.is_initialized()
        if self._own:
            self._connect(address, workers or max(1, (os.cpu_count() or 1) // threads))
        gpus = 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0
        # max_calls=0: by default each task with a GPU gets a new process, and with it a cold model.
        again = {"max_retries": max_retries, "max_calls": 0}
        self._task = ray.remote(num_cpus=threads, num_gpus=gpus, num_returns=2, **again)(run_task)
        self._combine = ray.remote(num_cpus=0, **again)(run_combine)

    def _connect(self, address: str, workers: int) -> None:
        x86 = platform.machine() in ("x86_64", "AMD64")  # where TensorFlow uses oneDNN by default
        pinned = {
            "TF_NUM_INTRAOP_THREADS": str(self._threads),
            "TF_NUM_INTEROP_THREADS": "1",
            "OMP_NUM_THREADS": str(self._threads),
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1" if x86 else "0"),
            "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        }
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

    def broadcast(self, value: Any) -> RayHandle:
        """Put the value into the object store, from which each node fetches it once."""
        return RayHandle(new_key(), self._ray.put(value))

    def _submit(
        self,
        remote: Any,
        function: TaskFunction,
        tasks: Sequence[Any],
        shared: Mapping[str, RayHandle],
    ) -> list[Any]:
        keys = {name: handle.key for name, handle in shared.items()}
        refs = [handle.ref for handle in shared.values()]
        return [
            remote.remote(self._limit, function, i, task, keys, *refs)
            for i, task in enumerate(tasks)
        ]

    def map(
        self, function: TaskFunction, tasks: Sequence[Any], shared: Mapping[str, RayHandle]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task id, value) as the tasks complete.

        Raises:
          UserError: a task raised one, lost its worker in every attempt, or nothing ends any more.
        """
        refs = self._submit(self._task.options(num_returns=1), function, tasks, shared)
        index_of = {ref: i for i, ref in enumerate(refs)}
        ids: list[int] = []
        for ref in self._as_completed(refs):
            task_id, (_, value) = self._get(ref)
            if index_of.pop(ref) != task_id:
                raise RuntimeError(f"the result of task {task_id} arrived under another id")
            ids.append(task_id)
            yield task_id, value
        check_counted(sorted(ids), len(tasks))

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
        pairs = self._submit(self._task, function, tasks, shared)
        done, level = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        del pairs  # so that the cluster may drop a partial sum once its total includes it
        while len(level) > FAN:
            starts = range(0, len(level), FAN)
            level = [self._combine.remote(combine, *level[i : i + FAN]) for i in starts]
        finished = [self._get(ref) for ref in self._as_completed(done)]
        check_counted(sorted(finished), len(tasks))
        for _ in self._as_completed(level):
            pass
        ids, total = run_combine(combine, *(self._get(ref) for ref in level))
        check_counted(ids, len(tasks))
        return total

    def _as_completed(self, refs: Sequence[Any]) -> Iterator[Any]:
        pending, patience = list(refs), 2 * self._limit + 60
        last = time.monotonic()
        while pending:
            done, pending = self._ray.wait(pending, num_returns=1, timeout=_POLL_SECONDS)
            self.check()
            if done:
                last = time.monotonic()
            elif time.monotonic() - last > patience:
                raise UserError(
                    f"--executor: no task ended within {patience:.0f} s, and {len(pending)} tasks"
                    " are left; `ray status` shows whether the cluster has a worker with enough"
                    " processors. The same command resumes."
                )
            yield from done

    def _get(self, ref: Any) -> Any:
        errors = self._ray.exceptions
        lost = (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError)
        try:
            return self._ray.get(ref)
        except errors.RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise
        except lost as error:
            raise UserError(
                "--executor: a task lost its worker on every attempt"
                f" ({str(error).splitlines()[0]}). It needs more memory than a worker has, or more"
                f" than {self._limit:.0f} s: use smaller shards, or set"
                " --executor=...?task_timeout=SECONDS."
            ) from error

    def close(self) -> None:
        """Leave the cluster, which then ends this job's tasks; stop it if it was started here."""
        if self._own:
            self._ray.shutdown()
