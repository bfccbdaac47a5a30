"""Jobs on a Ray cluster of two nodes: the coordinator, a worker or a node is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.soak import forks
from benchmarks.soak.forks import NO_KILL, Kill
from benchmarks.soak.jobs import Job, Place, inference, training_in_steps

MISSING = "Ray is not installed (pip install '.[cluster]'), so no cluster was disturbed"


class Cluster:
    """A cluster of two nodes, whose processes can be killed.

    Attributes:
      folder: identifies all processes of the cluster.
      address: its address.
    """

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="yt8m-soak-", dir="/tmp")  # short, for Ray's sockets
        token = Path(self.folder, ".ray", "auth_token")
        token.parent.mkdir()
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        self.variables = {
            "HOME": self.folder,  # where the token is
            "RAY_TMPDIR": self.folder,
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "PYTHONPATH": os.getcwd(),
        }
        self._host = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.soak.ray_host"],
            env={**os.environ, **self.variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def _read(self) -> None:
        assert self._host.stdout is not None
        for line in self._host.stdout:
            if line.startswith("{"):
                found = json.loads(line)
                self.address, self._raylets = found["address"], found["raylets"]
                return
        raise RuntimeError("the cluster did not start")

    def kill_worker(self, rng: random.Random) -> bool:
        """Kill a process that runs a task; return whether there was one."""
        workers = [pid for pid, text in self._processes() if b"ray::run" in text]
        if workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
        return bool(workers)

    def kill_node(self, rng: random.Random) -> bool:
        """Kill a node with its workers, and start another."""
        place = rng.randrange(2)
        for raylet in self._raylets[place]:
            own = [pid for pid, _ in self._processes() if _parent(pid) == raylet]
            for pid in (raylet, *own):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert self._host.stdin is not None
        self._host.stdin.write(f"{place}\n")
        self._host.stdin.flush()
        self._read()
        return True

    def _processes(self) -> Iterator[tuple[int, bytes]]:
        """Yield the id and the command line of each process of the cluster."""
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.folder.encode() in (entry / "environ").read_bytes():
                    yield int(entry.name), (entry / "cmdline").read_bytes()

    def close(self) -> None:
        """End every process of the cluster."""
        assert self._host.stdin is not None
        self._host.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._host.wait(30)
        for pid, _ in self._processes():
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._host.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def is_there() -> bool:
    """Return whether Ray is installed."""
    return importlib.util.find_spec("ray") is not None


def jobs(cluster: Cluster) -> tuple[ClusterJob, ...]:
    """Return the jobs on a cluster."""
    executor = f"--executor={cluster.address}?task_timeout=120"
    return (
        ClusterJob("cluster, steps", lambda p: [*training_in_steps(p), executor], cluster=cluster),
        ClusterJob("cluster, inference", lambda p: [*inference(p), executor], cluster=cluster),
    )


@dataclasses.dataclass(frozen=True)
class ClusterJob(Job):
    """A job whose coordinator, workers and nodes are killed.

    Attributes:
      cluster: where it runs.
    """

    cluster: Cluster | None = None

    def run(self, place: Place, log: str, kill: Kill = NO_KILL) -> forks.Ended:
        """Run the coordinator; see `forks.run`."""
        assert self.cluster is not None
        cluster = self.cluster

        def prepare() -> None:
            os.environ.update(cluster.variables)

        return forks.run(self.arguments(place), place.out, log, kill, prepare)

    def kill(self, rng: random.Random, seconds: float, calls: int) -> Kill:
        """Return what to kill, and when."""
        assert self.cluster is not None
        after, which = rng.uniform(0.1, seconds), rng.randrange(3)
        if which == 0:
            return Kill(after)
        kill = self.cluster.kill_worker if which == 1 else self.cluster.kill_node
        seed = rng.randrange(1 << 30)

        def strike() -> bool:
            return kill(random.Random(seed))

        return Kill(after, strike=strike, victim=("a worker", "a node")[which - 1])
