"""Tasks on a Ray cluster: Ray places them, sends values, runs again what a lost worker or node was doing.

What holds, and by whose work:
- Weights are broadcast once a node and version: the object store keeps one copy, which its workers read in place.
- A lost worker's task runs again (`max_retries`); results that lay on a lost node are computed anew from their
  lineage. A result is a slot that is filled once, and the sum is taken over slots in their order: however often
  a task ran, it counts once. The driver checks that the ids summed are 0 .. n - 1.
- A worker stuck in a task (a file system that does not answer) ends itself after `task_timeout`; to Ray it is a
  lost worker. A machine that stops answering is found by Ray's health checks. A process that somebody stops
  (SIGSTOP) is seen by neither: the call gives up when nothing at all has ended for twice the time-out.
  Ray starts no second copy of a slow task, so keep shards small.
- A call that fails leaves its other tasks running until `close()` or the driver's death, by which the cluster ends
  the job's tasks. They are not cancelled one by one: where a task completes just then, Ray (2.60) fails an inner
  check and takes the whole driver with it, and the error that was to be told. The trainer, after its own death,
  resumes from its last iteration.
- Equal digits: every worker gets the same number of TensorFlow threads and the same oneDNN setting. Mixed
  processors, or GPUs beside CPUs, may still differ in the last digit. Where the cluster has GPUs every task
  asks for one.
- Ray listens on the network and runs whatever it is sent, so access is by token: a cluster started here uses
  RAY_AUTH_MODE=token (the token is in ~/.ray/auth_token); on one of your own set it on every node, with the same
  token file (`ray get-auth-token --generate`), and leave it on.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import platform
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from yt8m.errors import UserError
from yt8m.largescale.executors.base import FAN, Broadcast, Combine, TaskFn, check_counted


class RayHandle(NamedTuple):
    """A broadcast value's key, and where the object store keeps it."""

    key: str
    ref: Any


@contextlib.contextmanager
def _ends_after(seconds: float) -> Iterator[None]:
    """End this process if the block takes longer, even where it waits in C code; the engine does the rest."""
    stderr = sys.__stderr__ or open(os.devnull, "w")
    faulthandler.dump_traceback_later(seconds, exit=True, file=stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def run_task(
    limit: float, fn: TaskFn, task_id: int, task: Any, keys: dict[str, str], *values: Any
) -> tuple[int, Any]:
    """In a worker: return the id, small, to follow progress by, and ([id], value), which stays in the object store."""
    shared = {name: Broadcast(key, value) for (name, key), value in zip(keys.items(), values)}
    with _ends_after(limit):
        return task_id, ([task_id], fn(task, shared))


def run_combine(combine: Combine, *parts: tuple[list[int], Any]) -> tuple[list[int], Any]:
    """Combine parts in their order; also what the ids of the tasks in them are."""
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
            "--executor: Ray is not installed; `pip install '.[cluster]'` brings it, or drop the flag to compute here."
        )
    return ray


class RayExecutor:
    """An `Executor` over Ray; arguments as in `make_executor`."""

    def __init__(
        self,
        address: str,
        workers: int = 0,
        threads: int = 1,
        task_timeout: float = 1800.0,
        max_retries: int = 4,
    ):
        if address == "ray":
            # Before the import, which reads them. Nobody else has a business with a cluster of one run, so it is on
            # the loopback interface; Ray's name for that is "no cluster of several machines".
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray = ray = _import_ray()
        self._limit, self._threads = float(task_timeout), int(threads)
        self._own = not ray.is_initialized()
        if self._own:
            self._connect(address, workers or max(1, (os.cpu_count() or 1) // threads))
        found = ray.cluster_resources()
        gpus = 1 if found.get("GPU", 0) >= 1 else 0
        self.num_workers = int(found["GPU"] if gpus else found.get("CPU", 0) // threads)
        # max_calls=0: by default a task with a GPU gets a new process each time, and with it a cold model.
        again = {"max_retries": max_retries, "max_calls": 0}
        self._task = ray.remote(num_cpus=threads, num_gpus=gpus, num_returns=2, **again)(run_task)
        self._combine = ray.remote(num_cpus=0, **again)(run_combine)

    def _connect(self, address: str, workers: int) -> None:
        one_dnn = (
            "1" if platform.machine() in ("x86_64", "AMD64") else "0"
        )  # TensorFlow's own defaults
        pinned = {
            "TF_NUM_INTRAOP_THREADS": str(self._threads),
            "TF_NUM_INTEROP_THREADS": "1",
            "OMP_NUM_THREADS": str(self._threads),
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", one_dnn),
            "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        }
        options: dict[str, Any] = {
            "runtime_env": {"env_vars": pinned},
            "log_to_driver": False,
            "logging_level": "ERROR",
        }
        if address == "ray":
            options.update(
                address="local", num_cpus=workers * self._threads, include_dashboard=False
            )
        else:
            options.update(address=address)
        try:
            if ":" in address:  # Ray itself tries for minutes
                host, _, port = address.rpartition("//")[2].rpartition(":")
                socket.create_connection((host, int(port)), timeout=20).close()
            self._ray.init(**options)
        except (
            Exception
        ) as error:  # each way to fail has its own class: no head, a wrong token, another version
            raise UserError(
                f"--executor={address}: no cluster could be joined ({type(error).__name__}: {str(error).splitlines()[0]}). Is its head up"
                " (`ray start --head`), of the same Ray and Python, with this machine's ~/.ray/auth_token?"
            ) from error

    def broadcast(self, value: Any, key: str) -> RayHandle:
        """Put the value into the object store, from where each node fetches it once."""
        return RayHandle(key, self._ray.put(value))

    def _submit(
        self, remote: Any, fn: TaskFn, tasks: Sequence[Any], shared: Mapping[str, RayHandle]
    ) -> list[Any]:
        keys = {name: handle.key for name, handle in shared.items()}
        refs = [handle.ref for handle in shared.values()]
        return [
            remote.remote(self._limit, fn, i, task, keys, *refs) for i, task in enumerate(tasks)
        ]

    def map(
        self, fn: TaskFn, tasks: Sequence[Any], shared: Mapping[str, RayHandle]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task id, value) as the tasks complete."""
        refs = self._submit(self._task.options(num_returns=1), fn, tasks, shared)
        place = {ref: i for i, ref in enumerate(refs)}
        ids: list[int] = []
        for ref in self._as_completed(refs):
            task_id, (_, value) = self._get(ref)
            if place.pop(ref) != task_id:
                raise RuntimeError(f"the result of task {task_id} came under another id")
            ids.append(task_id)
            yield task_id, value
        check_counted(sorted(ids), len(tasks))

    def map_reduce(
        self,
        fn: TaskFn,
        tasks: Sequence[Any],
        shared: Mapping[str, RayHandle],
        combine: Combine,
        fan: int = FAN,
    ) -> Any:
        """Return all values combined by tasks near the data; the last `fan` totals are combined here."""
        pairs = self._submit(self._task, fn, tasks, shared)
        done, level = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        del pairs  # so that the cluster may drop a partial sum as soon as it is in its total
        while len(level) > fan:
            level = [
                self._combine.remote(combine, *level[i : i + fan])
                for i in range(0, len(level), fan)
            ]
        finished = [self._get(ref) for ref in self._as_completed(done)]
        check_counted(sorted(finished), len(tasks))
        for _ in self._as_completed(level):
            pass
        ids, total = run_combine(combine, *(self._get(ref) for ref in level))
        check_counted(ids, len(tasks))
        return total

    def _as_completed(self, refs: Sequence[Any]) -> Iterator[Any]:
        pending, patience = list(refs), 2 * self._limit + 60
        while pending:
            done, pending = self._ray.wait(pending, num_returns=1, timeout=patience)
            if not done:
                raise UserError(
                    f"--executor: nothing ended in {patience:.0f} s, {len(pending)} tasks are left; `ray status` shows"
                    " whether the cluster has a worker with enough processors. The same command resumes."
                )
            yield from done

    def _get(self, ref: Any) -> Any:
        ray = self._ray
        try:
            return ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise
        except (
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
        ) as error:
            raise UserError(
                f"--executor: a task lost its worker in every attempt ({str(error).splitlines()[0]}). It needs more memory than"
                f" a worker has, or more than {self._limit:.0f} s: give it smaller shards, or --executor=...?task_timeout=SECONDS."
            ) from error

    def close(self) -> None:
        """Leave the cluster, with which it ends this job's tasks; end the cluster if it was started here."""
        if self._own:
            self._ray.shutdown()
