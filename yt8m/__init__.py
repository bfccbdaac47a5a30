"""Annotate videos from YouTube-8M features: read records, train, evaluate, submit, fuse.

The public functions are `list_models`, `create_model`, `open_dataset`, `train` and `load_run`; see
`yt8m.api`.
Importing this package is cheap: TensorFlow is imported when one of them is used.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

# For a command, nearly the start of its process: TensorFlow is imported seconds later.
IMPORTED_AT = time.monotonic()
__version__ = "0.2.0"
__all__ = [
    "Dataset",
    "Run",
    "UserError",
    "create_model",
    "list_models",
    "load_run",
    "open_dataset",
    "train",
]

if TYPE_CHECKING:
    from yt8m.api import Dataset, Run, create_model, list_models, load_run, open_dataset, train
    from yt8m.errors import UserError


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'yt8m' has no attribute {name!r}")
    import importlib

    from yt8m.process.guard import import_problem

    try:
        api = importlib.import_module("yt8m.api")
    except Exception as error:
        problem = import_problem(error)
        if problem is None:
            raise
        from yt8m.errors import UserError

        raise UserError(problem) from error
    value = getattr(api, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names that `__getattr__` finds, and those already defined."""
    return sorted({*globals(), *__all__})
