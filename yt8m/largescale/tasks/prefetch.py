"""Batches that a thread computes ahead of their use."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from yt8m.largescale.executors import progress

_END = object()
AHEAD = 2


def prefetched(items: Iterable[Any], ahead: int = AHEAD) -> Iterator[Any]:
    """Yield `items` in order while a thread computes up to `ahead` of the next ones.

    An error of `items` is raised here, at its place in the order. Each item counts as progress of
    the task; see `yt8m.largescale.executors.heartbeat`.
    """
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(ahead)
    closed = threading.Event()

    def put(item: Any, error: BaseException | None = None) -> bool:
        while not closed.is_set():
            try:
                ready.put((item, error), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_END)
        except BaseException as error:  # the consumer raises it
            put(None, error)

    thread = threading.Thread(target=work, name="yt8m-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            progress()
            yield item
    finally:
        closed.set()
        thread.join()
