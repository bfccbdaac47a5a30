"""Two nodes and stores of objects on this machine that share a network and no folder.

Each node has process, mount and network namespaces of its own. Its one writable folder is a file
system in memory that only it sees; everything else, such as the program itself, it can read only.
To kill a node is to kill the first process of its namespace: the kernel then ends all others with
SIGKILL, and takes its network and its files away.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from urllib.parse import quote, unquote

import pytest

from tests.largescale.storage.google_store import NAMES, make_certificate
from tests.support.object_store import plugin

_STORE, _PORT = "10.77.0.1", 8000
# Without an address of its own, a bridge takes the lowest one of its ports, and another one when
# the node of that port dies. The other node would then send to an old address for up to 2 minutes.
_MAC = "02:00:0a:4d:00:01"
_ROOT = pathlib.Path(__file__).parents[3]
_COMMANDS = ("unshare", "nsenter", "ip", "mount", "tar", "openssl")


def _run(*command: object, **more) -> subprocess.CompletedProcess:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-6000:]}"
    return done


def skip_without_namespaces() -> None:
    """Skip the test, and say why, where this user cannot make such nodes."""
    missing = [name for name in _COMMANDS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"two nodes need {', '.join(missing)} (Debian: util-linux, iproute2, openssl)")
    made = subprocess.run(
        ["unshare", "-m", "-n", "-p", "-f", "--mount-proc", "ip", "link", "set", "lo", "up"],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"two nodes need namespaces, and root to make them ({made.stderr.strip()})")


class Node:
    """A machine of its own, as far as its processes can tell; what is in `work` is lost with it."""

    def __init__(self, stack: contextlib.ExitStack, work: str, address: str):
        self.work, self.address = work, address
        self.first = _first_process(stack)
        for folder in (work, "/dev/shm"):
            self.run("mount", "-t", "tmpfs", "tmpfs", folder)
        self.run("mount", "-o", "remount,bind,ro", "/")
        self.run("ip", "link", "set", "lo", "up")

    def connect(self, store: int) -> None:
        """Connect the node with the bridge of the store's namespace."""
        name = f"node{self.address.rpartition('.')[2]}"
        inside, peer = ("nsenter", "-t", store, "-n"), ("peer", "name", "eth0", "netns", self.first)
        _run(*inside, "ip", "link", "add", name, "type", "veth", *peer)
        _run(*inside, "ip", "link", "set", name, "master", "br0", "up")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def command(self, *command: object) -> list[str]:
        """Return the command that runs another one in this node."""
        return ["nsenter", "-t", str(self.first), "-m", "-n", "-p", *map(str, command)]

    def run(self, *command: object, **more) -> subprocess.CompletedProcess:
        """Run a command to its end, in the node; the test fails if the command does."""
        return _run(*self.command(*command), **more)

    def copy_in(self, folder: object, name: str) -> None:
        """Copy a folder of the test into the node."""
        self.run("mkdir", f"{self.work}/{name}")
        there = f"{self.work}/{name}"
        self._copy(("tar", "-C", folder, "-c", "."), self.command("tar", "-C", there, "-x"))

    def copy_out(self, name: str, folder: object) -> None:
        """Copy a folder of the node to the test."""
        here = f"{self.work}/{name}"
        self._copy(self.command("tar", "-C", here, "-c", "."), ("tar", "-C", folder, "-x"))

    def _copy(self, packing, unpacking) -> None:
        with subprocess.Popen([str(c) for c in packing], stdout=subprocess.PIPE) as packed:
            _run(*unpacking, stdin=packed.stdout)
        assert packed.returncode == 0

    def kill(self) -> None:
        """End every process of the node at once."""
        os.kill(self.first, signal.SIGKILL)


def _first_process(stack: contextlib.ExitStack) -> int:
    """Start a process in namespaces of its own, and return its id here.

    It ends with the stack, or with this process however that ends, because it reads a pipe of it.
    """
    command = ["unshare", "-m", "-n", "-p", "-f", "--mount-proc", "--kill-child", "cat"]
    outer = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    stack.callback(outer.wait, 60)
    stack.callback(outer.stdin.close)
    children = pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    for _ in range(6000):
        for child in children.read_text().split():
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{child}/comm").read_text() == "cat\n":
                    return int(child)
        time.sleep(0.01)
    raise TimeoutError(f"{command} did not start")


class TwoNodes:
    """A cluster of Ray with its head on the first node, and two stores that both can reach.

    `gs://` is a fake of Google's, which TensorFlow opens, and `whole://` is opened by fsspec.

    Args:
      stack: ends everything when it is closed.
      google: the objects that are in `gs://` at the beginning, by BUCKET/NAME.
      hold: NAMES and COUNT of `Holding`, for what the second node puts.

    Attributes:
      nodes: the two nodes.
      store: the address of a folder that fsspec opens.
      work: the folder that each node has for itself, under one path.
      env: what the nodes' processes have in their environment.
    """

    def __init__(
        self, stack: contextlib.ExitStack, google: dict[str, bytes], hold: tuple[str, int]
    ):
        self.work, self._outside = (
            stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir="/tmp"))
            for prefix in ("yt8m-two-", "yt8m-stores-")  # short, for Ray's sockets
        )
        self.env, self.store = environment(self.work), f"whole://{_STORE}:{_PORT}/bucket"
        self._objects = pathlib.Path(self._outside, "objects")
        self._objects.mkdir()
        for name, content in google.items():
            (self._objects / quote(name, safe="")).write_bytes(content)
        make_certificate(self._outside)
        between = _first_process(stack)
        inside = ("nsenter", "-t", str(between), "-m", "-n", "-p")
        for words in (
            "link set lo up",
            f"link add br0 address {_MAC} type bridge",
            f"addr add {_STORE}/24 dev br0",
            "link set br0 up",
        ):
            _run(*inside, "ip", *words.split())
        home = self._home()
        self.nodes = [Node(stack, self.work, f"10.77.0.{2 + i}") for i in range(2)]
        for node in self.nodes:
            node.connect(between)
            node.copy_in(home, "home")
            node.run("mkdir", f"{self.work}/tmp")
            node.run("mount", "--bind", f"{self.work}/home/hosts", "/etc/hosts")
        self._log = pathlib.Path(self._outside, "log")
        log = stack.enter_context(self._log.open("w"))
        for server in (
            ("tests.support.object_store", f"{_STORE}:{_PORT}"),
            ("tests.largescale.storage.google_store", _STORE, self._outside),
        ):
            command = [*inside, sys.executable, "-m", *server, self.nodes[1].address, *hold]
            env = {**os.environ, "PYTHONPATH": str(_ROOT)}
            serving = subprocess.Popen([str(c) for c in command], stdout=log, env=env)
            stack.callback(serving.wait, 60)
            stack.callback(serving.kill)  # nsenter: what it started ends with its namespace

    def _home(self) -> pathlib.Path:
        """Make the home that is copied into each node."""
        home = pathlib.Path(self._outside, "home")
        token = home / ".ray" / "auth_token"
        token.parent.mkdir(parents=True)
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        plugin(home / "plugin")
        shutil.copy(f"{self._outside}/certificate", home)
        (home / "hosts").write_text(f"127.0.0.1 localhost\n{_STORE} {' '.join(NAMES)}\n")
        return home

    def start_ray(self) -> str:
        """Start the head on the first node, join the second, and return the head's address."""
        first, second = self.nodes
        head = f"{first.address}:6379"
        shared = ("--num-cpus=1", "--object-store-memory=200000000", "--disable-usage-stats")
        ray = (sys.executable, "-m", "ray.scripts.scripts", "start")
        for node, role in (
            (first, ("--head", "--port=6379", "--include-dashboard=false")),
            (second, (f"--address={head}",)),
        ):
            where = f"--node-ip-address={node.address}"
            node.run(*ray, *role, where, *shared, env=self.env, timeout=180)
        return head

    def requests(self) -> list[list[str]]:
        """Return the objects that were put so far, and the one that was held: what, name, node."""
        complete = self._log.read_text().rpartition("\n")[0]
        return [line.split() for line in complete.splitlines()]

    def google(self) -> dict[str, bytes]:
        """Return the objects of `gs://` by BUCKET/NAME."""
        return {unquote(f.name): f.read_bytes() for f in self._objects.iterdir()}


def environment(home: str) -> dict[str, str]:
    """Return the environment of processes whose temporary and own folders are below `home`.

    The last digits of TensorFlow's sums depend on its threads and on whether it uses oneDNN.
    """
    return {
        **{k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"},
        "HOME": f"{home}/home",
        "TMPDIR": f"{home}/tmp",
        "RAY_TMPDIR": home,
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(_ROOT), f"{home}/home/plugin"]),
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        # Ray gives a silent node a minute by default.
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "5000",
        "CUDA_VISIBLE_DEVICES": "-1",
        "CURL_CA_BUNDLE": f"{home}/home/certificate",  # what TensorFlow believes of `gs://`
        "GOOGLE_AUTH_TOKEN_FOR_TESTING": "any",
    }


@contextlib.contextmanager
def two_nodes(google: dict[str, bytes], hold: tuple[str, int]) -> Iterator[TwoNodes]:
    """Yield `TwoNodes`, and end all their processes at the end."""
    skip_without_namespaces()
    with contextlib.ExitStack() as stack:
        yield TwoNodes(stack, google, hold)
