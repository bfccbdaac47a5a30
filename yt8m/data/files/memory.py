"""The memory that this process may still take, within the limits of the machine and its groups."""

from __future__ import annotations

import contextlib
import pathlib

from yt8m.process import control_groups

# The files of a group in version 2 and in version 1 of control groups: its limits, what it uses,
# and which of that the kernel would give up, because it only keeps what is on disk.
_VERSIONS = (
    (("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file")),
    (
        ("memory.limit_in_bytes",),
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
)


def available_memory(root: pathlib.Path = control_groups.ROOT) -> int | None:
    """Return the bytes of memory that are available, or None where the system does not say.

    It is the least of what the machine has and of what each of the process's control groups leaves.
    """
    left = [_left(folder) for folder in control_groups.folders("memory", root)]
    with contextlib.suppress(OSError, KeyError, ValueError):
        left.append(_numbers(root / "proc/meminfo", ":")["MemAvailable"] * 1024)
    known = [most for most in left if most is not None]
    return min(known) if known else None


def _left(group: pathlib.Path) -> int | None:
    """Return the bytes that a group may still take, or None if it has no limit."""
    for limits, usage, kept in _VERSIONS:
        with contextlib.suppress(OSError, ValueError):
            used = int((group / usage).read_text())
            found = [most for most in (_limit(group / name) for name in limits) if most is not None]
            numbers = _numbers(group / "memory.stat", " ")
            used -= sum(numbers.get(name, 0) for name in kept)
            return max(0, min(found) - used) if found else None
    return None


def _limit(file: pathlib.Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):  # "max" where there is none
        return int(file.read_text())
    return None


def _numbers(file: pathlib.Path, separator: str) -> dict[str, int]:
    """Return the numbers of a file such as /proc/meminfo by their names."""
    found = {}
    for line in file.read_text().splitlines():
        name, _, value = line.partition(separator)
        with contextlib.suppress(ValueError, IndexError):
            found[name] = int(value.split()[0])
    return found
