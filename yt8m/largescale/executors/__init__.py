"""Executors of the large-scale trainer's tasks: in this process, or on a Ray cluster.

`make_executor("")` needs no engine and computes in this process. `make_executor("ray")` starts Ray
on this machine. `make_executor("auto")`, `"host:port"` and `"ray://host:port"` join a running Ray
cluster. Any other name is looked for among the entry points of installed packages, so that another
engine needs no change here. Nothing in this package imports TensorFlow, so that workers that only
add numbers start fast.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

from yt8m.errors import UserError
from yt8m.largescale.executors.base import Broadcast, Executor, Shared, forget, warm
from yt8m.largescale.executors.heartbeat import progress

__all__ = ["Broadcast", "Executor", "Shared", "forget", "make_executor", "progress", "warm"]


ENTRY_POINTS = "yt8m.executors"  # the group of other packages' executors

# Option of --executor -> its type.
_OPTIONS = {
    "workers": int,
    "threads": int,
    "task_timeout": float,
    "max_retries": int,
    "gpus": float,
    "cpu_nodes": int,
}


def make_executor(
    address: str = "",
    workers: int = 0,
    threads: int = 1,
    task_timeout: float = 1800.0,
    max_retries: int = 4,
    gpus: float = -1.0,
    cpu_nodes: int = 0,
) -> Executor:
    """Return the executor that --executor names.

    Args:
      address: "" or "in_process" computes in this process; "ray" starts Ray on this machine for
        this run alone; "auto" joins the cluster that this machine belongs to; "host:port" and
        "ray://host:port" join a cluster from outside. The other arguments may follow the address:
        "ray?workers=2&threads=4".
      workers: for "ray", the number of worker processes to start; 0 starts one for every `threads`
        cores.
      threads: TensorFlow's threads in each worker. All workers have the same number, because the
        last digits of a sum depend on it.
      task_timeout: seconds after which a worker whose task makes no progress ends itself, so that
        the engine gives the task to another worker.
      max_retries: how often the engine runs a task again after its worker or node was lost.
      gpus: the share of a GPU that each task asks for; of 0.5, two run on one GPU. By default it is
        1 where the cluster has a GPU, and 0 elsewhere.
      cpu_nodes: 1 lets processors without a GPU run tasks too. The last digits of a sum then
        depend on where each task ran.

    Raises:
      UserError: the engine is not installed, there is no cluster at the address, or an option is
        unknown.
    """
    name, _, query = address.partition("?")
    others = _of_other_packages()
    if name in others:
        return _made_elsewhere(others[name], address, query)
    options: dict[str, Any] = {
        "workers": workers,
        "threads": threads,
        "task_timeout": task_timeout,
        "max_retries": max_retries,
        "gpus": gpus,
        "cpu_nodes": cpu_nodes,
    }
    for option in filter(None, query.split("&")):
        key, _, text = option.partition("=")
        try:
            value = _OPTIONS[key](text)
            if not value >= (key in ("threads", "task_timeout")):  # NaN neither
                raise ValueError(option)
        except (KeyError, ValueError):
            raise UserError(
                f"--executor={address}: {option} is not one of its options,"
                f" {'=N, '.join(_OPTIONS)}=N; e.g. ray?workers=2&threads=4."
            ) from None
        options[key] = value
    if name in ("", "in_process"):
        from yt8m.largescale.executors.in_process import InProcessExecutor

        return InProcessExecutor()
    if name not in ("ray", "auto") and ":" not in name:
        raise UserError(
            f'--executor={address} is not known; use "in_process" (the default), "ray" (started'
            ' here), or "auto", HOST:PORT or ray://HOST:PORT (a running Ray cluster)'
            + (f", or {', '.join(sorted(others))} (installed)." if others else ".")
        )
    from yt8m.largescale.executors.ray_executor import RayExecutor

    return RayExecutor(name, **options)


def _of_other_packages() -> dict[str, Any]:
    """Return the entry points by the name that --executor gives them."""
    found: Any = importlib.metadata.entry_points()
    if hasattr(found, "select"):
        group = found.select(group=ENTRY_POINTS)
    else:  # Python 3.9
        group = found.get(ENTRY_POINTS, ())
    return {entry.name: entry for entry in group}


def _made_elsewhere(entry: Any, address: str, query: str) -> Executor:
    """Return what another package's function makes of the options, which are text.

    Raises:
      UserError: the function cannot be imported, or does not take these options.
    """
    options = dict(option.partition("=")[::2] for option in filter(None, query.split("&")))
    try:
        made: Executor = entry.load()(**options)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"--executor={address}: {entry.value} of the installed packages cannot make it"
            f" ({type(error).__name__}: {error})."
        ) from error
    return made
