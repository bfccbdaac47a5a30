"""The next batches are read while this one is computed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

_END = object()


def prefetched(items: Iterable[Any], ahead: int = 2) -> Iterator[Any]:
    """Yield `items` in order, computed by a thread that stays at most `ahead` of them in front; its errors are raised here."""
    ready: queue.Queue = queue.Queue(ahead)
    given_up = threading.Event()

    def give(item: Any) -> bool:
        while not given_up.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not give((item, None)):
                    return
            give((_END, None))
        except BaseException as error:  # whatever it is, it belongs to the reader
            give((_END, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        given_up.set()
        thread.join()
