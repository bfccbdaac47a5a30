"""Where and with which versions a benchmark was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.harness.settings import ROOT, Settings

_GROWTH_PAGE = "docs/full-release.md"  # `python -m benchmarks.growth` writes into it
_PACKAGES = ("tensorflow", "tf-models-official")
# Python 3.7 has no importlib.metadata.
_ASK = """
import platform
try:
    from importlib.metadata import version, PackageNotFoundError as missing
except ImportError:
    from pkg_resources import get_distribution, DistributionNotFound as missing
    version = lambda name: get_distribution(name).version
print("Python", platform.python_version(), end="")
for name in {packages!r}:
    try:
        print(",", name, version(name), end="")
    except missing:
        pass
"""
# They change what is measured.
_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS")


def context(settings: Settings) -> dict[str, Any]:
    """Return the machine, the versions and the commit; results of two contexts are not mixed."""
    return {
        "machine": machine(Path("/proc/cpuinfo").read_text(), Path("/proc/meminfo").read_text()),
        "versions": _versions(settings),
        "commit": _commit(),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "quick": settings.quick,
    }


def machine(cpuinfo: str, meminfo: str) -> dict[str, Any]:
    """Return what the two files of /proc say about the processor and the memory."""
    fields = dict(re.findall(r"^([\w ]+?)\s*:\s*(.*)$", cpuinfo.split("\n\n")[0], re.M))
    flags = fields.get("flags", fields.get("Features", "")).split()
    kilobytes = re.search(r"MemTotal:\s*(\d+)", meminfo)
    return {
        "processor": fields.get("model name", platform.machine()).strip(),
        "family": f"{fields.get('cpu family', '?')}/{fields.get('model', '?')}",
        "cores": len(os.sched_getaffinity(0)),
        "avx512_bf16": "avx512_bf16" in flags,
        "amx": "amx_bf16" in flags,
        "memory_gb": round(int(kilobytes[1]) * 1024 / 1e9) if kilobytes else 0,
    }


def describe(machine: dict[str, Any]) -> str:
    """Return a machine as text."""
    units = [
        f"{'with' if machine[key] else 'without'} {name}"
        for key, name in (("avx512_bf16", "avx512_bf16"), ("amx", "AMX"))
    ]
    return (
        f"{machine['cores']} cores of {machine['processor']} (family {machine['family']})"
        f" {' and '.join(units)}, {machine['memory_gb']} GB, no accelerator"
    )


def _versions(settings: Settings) -> dict[str, str]:
    tensorflow = importlib.metadata.version("tensorflow")
    found = {"ours": f"Python {platform.python_version()}, tensorflow {tensorflow}"}
    rivals = {"starter": settings.starter_python, "garden": settings.garden_python}
    for name, python in rivals.items():
        if settings.rivals()[name]:
            found[name] = _output([python, "-c", _ASK.format(packages=_PACKAGES)])
    if settings.rivals()["starter"]:
        commit = _output(["git", "-C", settings.starter_code, "rev-parse", "--short", "HEAD"])
        found["starter"] += f", google/youtube-8m {commit}"
    return found


def _commit() -> str:
    """Return the commit of this repository, with "+" if files other than results have changed."""
    commit = _output(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    written = ("benchmarks/RESULTS.md", "benchmarks/results.json", "docs/growth", _GROWTH_PAGE)
    results = [f":!{path}" for path in written]
    status = ["git", "-C", str(ROOT), "status", "--porcelain", "-uno", "--", ".", *results]
    return commit + ("+" if _output(status) else "")


def _output(command: list[str]) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.stdout.strip() if done.returncode == 0 else "unknown"
