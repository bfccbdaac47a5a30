"""Import before TensorFlow: keeps its start-up lines, which no user of these commands can act on, off the screen.

Someone who wants them sets TF_CPP_MIN_LOG_LEVEL=0. It also lets a process take a GPU's memory as it needs it.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Else the first process takes all, and `eval.py --watch` beside a training on the same GPU finds none.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


@contextlib.contextmanager
def _stderr_held() -> Iterator[None]:
    """Hold back what C++ code writes to stderr before its logging is set up; shown if the import fails."""
    import tempfile

    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all
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

        tf.config.list_physical_devices()  # the CUDA look-up, with its lines where there is no GPU
