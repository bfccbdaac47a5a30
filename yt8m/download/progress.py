"""How far a download is: a bar on a terminal, and a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque

_WINDOW = 15.0  # seconds over which the rate is averaged
_BAR = 24  # characters


def size_text(count: float) -> str:
    """Return a number of bytes as text, in GB or MB of ten to the ninth and sixth bytes."""
    return f"{count / 1e9:,.2f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"


def time_text(seconds: float) -> str:
    """Return a time as text: 42 s, 3 min 20 s or 2 h 5 min."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Progress:
    """Counts bytes and files from several threads, and shows them from one.

    Args:
      total: bytes of all files, as far as known.
      files: number of files.
      done: bytes that were on disk before.
      done_files: files that were complete before.
      every: seconds between two lines where there is no terminal.
    """

    def __init__(self, total: int, files: int, done: int, done_files: int, every: float = 5.0):
        self.total, self.files, self.done, self.done_files = total, files, done, done_files
        self._lock = threading.Lock()
        self._terminal = sys.stdout.isatty()
        self._every = 0.2 if self._terminal else every
        self._start = self._shown = time.monotonic()
        self._seen: deque[tuple[float, int]] = deque([(self._start, 0)])
        self._received = 0
        self._width = 0

    def add(self, count: int) -> None:
        """Count bytes that arrived."""
        with self._lock:
            self.done += count
            self._received += count

    def adjust(self, count: int) -> None:
        """Count bytes that another process got, or below 0, bytes that must be received again."""
        with self._lock:
            self.done += count

    def file_done(self) -> None:
        """Count a complete file."""
        with self._lock:
            self.done_files += 1

    def show(self, last: bool = False) -> None:
        """Show the state, unless that was done a moment ago."""
        now = time.monotonic()
        if not last and now - self._shown < self._every:
            return
        self._shown = now
        line = self._line(now)
        if self._terminal:
            self._width = max(self._width, len(line))
            print(f"\r{line:<{self._width}}", end="\n" if last else "", flush=True)
        else:
            print(line, flush=True)

    def _line(self, now: float) -> str:
        with self._lock:
            done, files, received = self.done, self.done_files, self._received
        self.total = max(self.total, done)  # some sizes may be unknown
        self._seen.append((now, received))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (received - before) / max(now - since, 1e-3)
        share = min(done / self.total, 1.0) if self.total else 1.0
        parts = [f"{files}/{self.files} files", f"{size_text(done)} of {size_text(self.total)}"]
        parts.append(f"{size_text(rate)}/s")
        if rate > 0 and done < self.total:
            parts.append(f"{time_text((self.total - done) / rate)} left")
        text = ", ".join(parts)
        if not self._terminal:
            return f"{share:4.0%} {text}"
        filled = int(share * _BAR)
        return f"[{'#' * filled}{'.' * (_BAR - filled)}] {share:4.0%} {text}"
