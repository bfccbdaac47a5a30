"""Several transfers at once, which a Ctrl-C ends at any moment."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence

from yt8m.download.partial_file import Busy
from yt8m.download.transfer import Failed, Interrupted, Transfer
from yt8m.download.verify import Item
from yt8m.download.web import Refused

_BUSY_SECONDS = 0.5  # between two looks at a file that another process receives
_LAST_SECONDS = 2.0  # for the threads to note that they are to stop


class _Work:
    """The files that threads take from one queue, and what became of those that failed."""

    def __init__(self, items: Sequence[Item], transfer: Transfer, replace: bool):
        self._transfer, self._replace = transfer, replace
        self._waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
        for item in items:
            self._waiting.put(item)
        self.failed: dict[str, str] = {}
        self.broken: BaseException | None = None

    def run(self) -> None:
        """Get files until none is left; the work of one thread."""
        stop = self._transfer.stop
        while not stop.is_set():
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._transfer.get(item, self._replace)
                self._transfer.progress.file_done()
            except Busy:
                self._waiting.put(item)
                stop.wait(_BUSY_SECONDS)
            except (Refused, Failed) as error:
                self.failed[item.name] = str(error)
            except Interrupted:
                return
            except BaseException as error:
                self.broken = error
                stop.set()


def get_all(
    items: Sequence[Item], transfer: Transfer, parallel: int, replace: bool
) -> dict[str, str]:
    """Get every file, and go on with the others after one that fails.

    Args:
      items: the files.
      transfer: how each is received; `transfer.stop` ends all.
      parallel: number at the same time.
      replace: whether files under the final names are replaced.

    Returns:
      Published name -> why the file could not be had.

    Raises:
      KeyboardInterrupt: after the threads were stopped.
      OSError: this machine failed, by a full disk for example; all transfers were stopped.
    """
    work = _Work(items, transfer, replace)
    # Threads of the kind that ends with the process: one may wait for a silent server.
    threads = [
        threading.Thread(target=work.run, daemon=True) for _ in range(min(parallel, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            transfer.progress.show()
            time.sleep(0.05)
    finally:
        transfer.stop.set()
        deadline = time.monotonic() + _LAST_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    if work.broken:
        raise work.broken
    return work.failed
