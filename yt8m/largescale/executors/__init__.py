"""Where the large-scale trainer's tasks run: in this process, or on a cluster through an existing engine.

`make_executor("")` needs nothing and computes here; `make_executor("ray")` starts Ray on this machine;
`make_executor("auto")`, `"host:port"` and `"ray://host:port"` use a Ray cluster that is there.
Nothing in here imports TensorFlow, so that workers which only add numbers start fast.
"""

from __future__ import annotations

from yt8m.errors import UserError
from yt8m.largescale.executors.base import Broadcast, Executor, Handle, Shared, warm

__all__ = ["Broadcast", "Executor", "Handle", "Shared", "make_executor", "warm"]


# Option of --executor -> its type.
_OPTIONS = {"workers": int, "threads": int, "task_timeout": float, "max_retries": int}


def make_executor(
    address: str = "",
    workers: int = 0,
    threads: int = 1,
    task_timeout: float = 1800.0,
    max_retries: int = 4,
) -> Executor:
    """Return the executor that --executor names.

    Args:
      address: "" or "in_process"; "ray" starts the engine here for this run alone; "auto" (the cluster this
        machine belongs to), "host:port" or "ray://host:port" (from outside) joins a cluster. The other arguments
        may be written behind it: "ray?workers=2&threads=4".
      workers: of "ray", worker processes to start; 0: one for each `threads` cores.
      threads: TensorFlow's threads in each worker. The last digits of a sum depend on it, so all have the same.
      task_timeout: seconds after which a worker that is still busy with one task ends itself, so that the engine
        gives the task to another.
      max_retries: how often the engine runs a task again whose worker or node was lost.

    Raises:
      UserError: the engine is not installed, or there is no cluster at the address, or an option is not known.
    """
    name, _, query = address.partition("?")
    options = {
        "workers": workers,
        "threads": threads,
        "task_timeout": task_timeout,
        "max_retries": max_retries,
    }
    for option in filter(None, query.split("&")):
        key, _, value = option.partition("=")
        try:
            options[key] = _OPTIONS[key](value)
            if options[key] < (key in ("threads", "task_timeout")):
                raise ValueError(option)
        except (KeyError, ValueError):
            raise UserError(
                f"--executor={address}: {option} is none of its options, {'=N, '.join(_OPTIONS)}=N; e.g. ray?workers=2&threads=4."
            )
    if name in ("", "in_process"):
        from yt8m.largescale.executors.in_process import InProcessExecutor

        return InProcessExecutor()
    if name not in ("ray", "auto") and ":" not in name:
        raise UserError(
            f'--executor={address} is not known: "in_process" (the default), "ray" (started here),'
            ' "auto", HOST:PORT or ray://HOST:PORT (a Ray cluster that is running).'
        )
    from yt8m.largescale.executors.ray_executor import RayExecutor

    return RayExecutor(name, **options)
