"""An answer to Ctrl-C that comes at once, also while TensorFlow computes.

Python calls a signal's handler between two of its own instructions, so that during a long call of
TensorFlow, such as the compilation of a model, nothing seems to happen. Python does write the
signal's number to a file at once, which a thread here reads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Callable

SIGNALS = (signal.SIGTERM, signal.SIGINT)
INTERRUPTED = 130  # exit code of a command that was interrupted
# Seconds. A process may get one press of Ctrl-C twice: from its group and from its parent.
SAME_PRESS = 0.2
_PATIENCE = 5.0  # seconds that a call of TensorFlow may still take after the second signal
_END = b"\0"  # the number of no signal


@contextlib.contextmanager
def answered(doing: Callable[[], str]) -> Iterator[None]:
    """Answer the first SIGTERM or SIGINT in this context at once, and end the process at a third.

    A second signal ends the process too, unless its handler, which has to raise an exception, ends
    this context within a few seconds. Only the main thread may enter this context.

    Args:
      doing: returns what the process does after the first signal, such as "saving step 7".
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)  # as Python demands
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    answers = _Answers(reader, doing)
    answers.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        answers.over.set()
        os.write(writer, _END)
        answers.join()
        os.close(writer)
        os.close(reader)


class _Answers(threading.Thread):
    """Reads the numbers of signals from a file, and answers them.

    Attributes:
      over: set when the context has ended.
    """

    def __init__(self, reader: int, doing: Callable[[], str]):
        super().__init__(name="answers to signals", daemon=True)
        self._reader, self._doing, self.over = reader, doing, threading.Event()

    def run(self) -> None:
        """Answer until the end of the context."""
        last, count = -SAME_PRESS, 0
        while (number := os.read(self._reader, 1)) not in (_END, b""):
            if number[0] not in SIGNALS or time.monotonic() - last < SAME_PRESS:
                continue
            last, count = time.monotonic(), count + 1
            if count == 1:
                again = "press again" if number[0] == signal.SIGINT else "signal again"
                _say(f"{self._doing()}; {again} to abandon")
            elif count == 2:
                _say("abandoned; what was saved before is kept")
                threading.Thread(target=self._end_if_stuck, daemon=True).start()
            else:
                os._exit(INTERRUPTED)

    def _end_if_stuck(self) -> None:
        if not self.over.wait(_PATIENCE):
            os._exit(INTERRUPTED)  # Files get their names when they are whole: none is left half.


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)
