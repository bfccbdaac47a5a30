"""What the CPU offers: its instructions, and how many of its cores this process may use."""

from __future__ import annotations

import contextlib
import math
import os
import pathlib

from yt8m.process import control_groups

_QUOTA_V1 = "cpu.cfs_quota_us"  # -1 where there is no quota
_PERIOD_V1 = "cpu.cfs_period_us"
_QUOTA_V2 = "cpu.max"  # "max 100000" where there is no quota


def cpu_flags(root: pathlib.Path = pathlib.Path("/")) -> frozenset[str]:
    """Return the instruction sets of the CPU by Linux's names; none where there is no /proc."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "flags":
                return frozenset(value.split())
    return frozenset()


def schedulable_cpus() -> int:
    """Return the number of cores on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(root: pathlib.Path = pathlib.Path("/")) -> int:
    """Return the number of cores' time that the process's control groups allow it; 0 is no limit.

    The number is rounded up: a thread more than the quota waits sometimes, and a thread less never
    uses what is left of it.
    """
    quotas = []
    for folder in control_groups.folders("cpu", root):
        with contextlib.suppress(OSError, ValueError):
            quotas.append(_quota(folder))
    limits = [quota for quota in quotas if quota > 0]
    return max(1, math.ceil(min(limits))) if limits else 0


def _quota(folder: pathlib.Path) -> float:
    """Return the quota of one group in cores, negative or 0 for none.

    Raises:
      OSError: the group has no quota's file.
      ValueError: the file holds no numbers.
    """
    if (folder / _QUOTA_V2).is_file():
        quota, period = (folder / _QUOTA_V2).read_text().split()
        return 0.0 if quota == "max" else float(quota) / float(period)
    return float((folder / _QUOTA_V1).read_text()) / float((folder / _PERIOD_V1).read_text())
