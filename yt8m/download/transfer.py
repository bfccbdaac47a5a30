"""One file: received, from where it stopped last time, verified and given its name."""

from __future__ import annotations

import dataclasses
import os
import random
import threading

from yt8m.download.partial_file import PartialFile
from yt8m.download.progress import Progress
from yt8m.download.verify import Item, problem_of
from yt8m.download.web import BeyondEnd, Dropped, opened

_LONGEST_WAIT = 60.0


class Failed(Exception):
    """A file could not be had; the message says why."""


class Interrupted(Exception):
    """The download is to stop; what was received stays."""


@dataclasses.dataclass
class Transfer:
    """How files are received.

    Attributes:
      progress: counts the bytes.
      stop: ends every transfer when set.
      check: whether each file's first record is checked.
      retries: attempts without a new byte after the first.
      wait: seconds before the first retry.
      timeout: seconds of silence that count as a dropped connection.
    """

    progress: Progress
    stop: threading.Event
    check: bool = True
    retries: int = 6
    wait: float = 1.0
    timeout: float = 30.0

    def get(self, item: Item, replace: bool = False) -> None:
        """Make a file complete under its final name, unless it is.

        A file that is not what was published is received once more from its beginning.

        Args:
          item: the file.
          replace: whether a file under the final name is replaced.

        Raises:
          Busy: another process is receiving it.
          Refused: the server does not give it.
          Failed: it could not be had, or is wrong for the second time.
          Interrupted: `stop` was set.
        """
        with PartialFile(item.path) as partial:
            if os.path.exists(item.path) and not replace:  # another process was faster
                self.progress.adjust(os.path.getsize(item.path) - partial.size)
                partial.discard()
                return
            for is_last in (False, True):
                self._receive(item, partial)
                problem = problem_of(partial.name, item, self.check)
                if not problem:
                    partial.finish()
                    return
                self.progress.adjust(-partial.clear())
                if is_last:
                    partial.discard()
                    raise Failed(f"downloaded twice, and {problem}")

    def _receive(self, item: Item, partial: PartialFile) -> None:
        """Receive the rest of a file, however often the connection drops."""
        failures = 0
        while item.size is None or partial.size != item.size:
            start = partial.size
            try:
                if item.size is not None and start > item.size:
                    self.progress.adjust(-partial.clear())
                self._stream(item, partial)
                return
            except BeyondEnd as beyond:
                if beyond.total == start:
                    return
                self.progress.adjust(-partial.clear())
                dropped = Dropped(str(beyond))
            except Dropped as error:
                dropped = error
            failures = 1 if partial.size > start else failures + 1
            if failures > self.retries:
                raise Failed(f"{dropped} ({failures} times)")
            self._pause(failures, dropped.wait)

    def _stream(self, item: Item, partial: PartialFile) -> None:
        with opened(item.url, partial.size, self.timeout) as answer:
            if answer.start != partial.size:  # the server does not know ranges, or another one
                self.progress.adjust(-partial.clear())
                if answer.start:
                    raise Dropped(f"the server sent bytes from {answer.start} on")
            for chunk in answer.chunks():
                if self.stop.is_set():
                    raise Interrupted
                partial.append(chunk)
                self.progress.add(len(chunk))
            if answer.total is not None and partial.size < answer.total:
                raise Dropped(f"the connection closed after {partial.size} of {answer.total} bytes")

    def _pause(self, failures: int, wanted: float) -> None:
        """Wait twice as long after each failure, give or take a quarter, or until `stop`."""
        wait = self.wait * 2 ** (failures - 1) * random.uniform(0.75, 1.25)
        if self.stop.wait(min(max(wait, wanted), _LONGEST_WAIT)):
            raise Interrupted
