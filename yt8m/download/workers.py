"""Several transfers at once, which a Ctrl-C ends at any moment."""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass
class Outcome:
    """What became of the files.

    Attributes:
      failed: published name -> why it could not be had.
      broken: an error of this machine, such as a full disk, which ended the download; or None.
    """

    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    broken: BaseException | None = None


def get_all(items: Sequence[Item], transfer: Transfer, parallel: int, replace: bool) -> Outcome:
    """Get every file, and go on with the others after one that fails.

    Args:
      items: the files.
      transfer: how each is received; `transfer.stop` ends all.
      parallel: number at the same time.
      replace: whether files under the final names are replaced.

    Raises:
      KeyboardInterrupt: after the threads were stopped.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    outcome = Outcome()

    def work() -> None:
        while not transfer.stop.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                transfer.get(item, replace)
                transfer.progress.file_done()
            except Busy:
                waiting.put(item)
                transfer.stop.wait(_BUSY_SECONDS)
            except (Refused, Failed) as error:
                outcome.failed[item.name] = str(error)
            except Interrupted:
                return
            except BaseException as error:
                outcome.broken = error
                transfer.stop.set()

    # Threads of the kind that ends with the process: one may wait for a silent server.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(parallel, len(items)))]
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
    return outcome
