"""The control groups of Linux that limit this process: those of a container, a job or a service."""

from __future__ import annotations

import contextlib
import pathlib

ROOT = pathlib.Path("/")


def folders(controller: str, root: pathlib.Path = ROOT) -> list[pathlib.Path]:
    """Return the folders of the groups that limit this process, with those above them.

    A container sees its own group as the root of /sys/fs/cgroup, whatever /proc says of its path.
    Some of the folders may not exist.

    Args:
      controller: what the groups limit, "cpu" or "memory".
      root: where /proc and /sys are.
    """
    mounted = root / "sys/fs/cgroup"
    found = [mounted]
    with contextlib.suppress(OSError):  # of version 1, which mounts several controllers together
        found += [at for at in mounted.iterdir() if controller in at.name.split(",")]
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            inside = pathlib.PurePosixPath(path.lstrip("/"))
            for base in [mounted / controllers] if controllers else [mounted, mounted / "unified"]:
                found += [base / part for part in (inside, *inside.parents)]
    return found
