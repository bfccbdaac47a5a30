"""The process that has a lock, and whether it still runs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import shlex
import socket
import subprocess
import sys
import time
import uuid

_LONGEST_COMMAND = 200


@dataclasses.dataclass(frozen=True)
class Owner:
    """The process that has a lock.

    Attributes:
      machine: identifies the machine since its last start, and the container.
      host: the machine's name.
      pid: number of the process.
      started: when the process started, in a form that only differs between processes.
      since: when the lock was taken, for messages.
      command: the process's command line.
      token: differs between all locks.
    """

    machine: str
    host: str
    pid: int
    started: str
    since: str
    command: str
    token: str

    @classmethod
    def this_process(cls) -> Owner:
        """Return this process as the owner of a new lock."""
        command = shlex.join(getattr(sys, "orig_argv", sys.argv))
        if len(command) > _LONGEST_COMMAND:
            command = command[: _LONGEST_COMMAND - 3] + "..."
        return cls(
            machine=_machine(),
            host=socket.gethostname(),
            pid=os.getpid(),
            started=_start_of(os.getpid()),
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            command=command,
            token=uuid.uuid4().hex,
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Owner | None:
        """Return the owner that a lock's file names; None if it names none."""
        try:
            owner = cls(**json.loads(content))
            return dataclasses.replace(owner, pid=int(owner.pid))
        except (ValueError, TypeError, OverflowError, RecursionError):
            return None

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    def is_here(self) -> bool:
        """Return whether the process is, or was, one of this machine."""
        return self.machine == _machine()

    def is_running(self) -> bool:
        """Return whether the process, one of this machine, still runs."""
        return self.started == _start_of(self.pid)

    def __str__(self) -> str:
        where = "" if self.is_here() else f" on {self.host}"
        return f"process {self.pid}{where} (`{self.command}`, since {self.since})"


@functools.lru_cache
def _machine() -> str:
    """Return what two processes have in common if each can ask for the other by its number."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as boot:
            machine = boot.read().strip()
    except OSError:
        machine = socket.gethostname()
    with contextlib.suppress(OSError):  # Containers count their processes separately.
        machine += " " + os.readlink("/proc/self/ns/pid")
    return machine


def _start_of(pid: int) -> str:
    """Return when a process started; "" if there is none, or if it has only not been waited for."""
    if os.path.isdir("/proc/self"):
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                # The name, in parentheses, may contain anything.
                state, *fields = stat.read().rpartition(b")")[2].split()
        except (OSError, ValueError):
            return ""
        return "" if state in (b"Z", b"X") else fields[18].decode()
    try:
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:
        return "unknown"
