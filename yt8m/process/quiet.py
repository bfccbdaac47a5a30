"""Imports TensorFlow faster and without its start-up lines; commands import this first.

No user can act on these lines; `TF_CPP_MIN_LOG_LEVEL=0` shows them. This module also lets a process
take a GPU's memory as it needs it. Importing it redirects file descriptor 2 for a moment, sets
environment variables and changes the garbage collector's state, so the library itself never imports
it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from yt8m.process.guard import import_problem

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_MOST_THREADS = 4096
# For a wrong flag in TF_XLA_FLAGS, TensorFlow ends the process, and such a line says so.
_HIDES_LINES = os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0" and not os.environ.get("TF_XLA_FLAGS")
# Otherwise the first process takes all of it, and `eval.py --watch` beside a training on the same
# GPU finds none.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


@contextlib.contextmanager
def _stderr_held() -> Iterator[None]:
    """Hold back output of C++ code to stderr, and show it only if the import fails."""
    held = _scratch()
    try:
        kept = os.dup(2)
    except OSError:  # the process has no stderr
        held = None
    if held is None:
        yield
        return
    with held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if failed:
                held.seek(0)
                os.write(2, held.read())


def _scratch() -> IO[bytes] | None:
    """Return a temporary file, or None where no folder can be written to."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None


@contextlib.contextmanager
def _light_import() -> Iterator[None]:
    """Import without what costs much and is not needed.

    Importing TensorFlow creates very many objects and deletes hardly any, but the garbage collector
    would go over them again and again. TensorFlow Lite and Keras 3 import JAX and matplotlib where
    they are installed; commands that use them import them themselves. On two cores, the import took
    1.1 s of processor time instead of 1.5 with Keras 2, and 1.3 s instead of 2.2 with Keras 3.
    """
    hidden = [name for name in ("jax", "matplotlib") if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it raises ImportError
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
        gc.freeze()
        if collects:
            gc.enable()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """End the process with one line where the environment keeps TensorFlow or Keras out."""
    try:
        yield
    except Exception as error:
        problem = import_problem(error)
        if problem is None:
            raise
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)


def _check_threads() -> None:
    """End the process with one line where TensorFlow would abort it for a number of threads."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        value = os.environ.get(name, "")
        if value and not (value.isascii() and value.isdecimal() and int(value) <= _MOST_THREADS):
            print(
                f"error: the environment variable {name}={value!r}: expected a whole number from 0"
                f" to {_MOST_THREADS:,}; correct it or unset it.",
                file=sys.stderr,
            )
            sys.exit(2)


_check_threads()
_held = _stderr_held() if _HIDES_LINES else contextlib.nullcontext()
with _explained(), _light_import(), _held:
    import tensorflow as tf

    tf.keras.mixed_precision.global_policy()  # Otherwise Keras would be imported later, outside.
    tf.config.list_physical_devices()  # looks for CUDA, and prints lines where there is no GPU
