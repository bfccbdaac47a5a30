"""Hides TensorFlow's start-up lines, which no user can act on; commands import this first.

`TF_CPP_MIN_LOG_LEVEL=0` shows them. This module also lets a process take a GPU's memory as it
needs it. Importing it redirects file descriptor 2 for a moment and sets environment variables, so
the library itself never imports it.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Otherwise the first process takes all of it, and `eval.py --watch` beside a training on the same
# GPU finds none.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


@contextlib.contextmanager
def _stderr_held() -> Iterator[None]:
    """Hold back output of C++ code to stderr, and show it only if the import fails."""
    try:
        kept = os.dup(2)
    except OSError:  # the process has no stderr
        yield
        return
    with tempfile.TemporaryFile() as held:
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


if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0":
    with _stderr_held():
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for CUDA, and prints lines where there is no GPU
