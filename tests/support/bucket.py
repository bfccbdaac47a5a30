"""A bucket to test with: paths under file://, whose requests are counted and may be slow.

TensorFlow reads `file:///folder/name` as it reads `/folder/name`, but for this package a path with
`://` is remote. `requests()` counts what the package asks of `tf.io.gfile` about such paths; the
requests that TensorFlow's own readers make are not seen.

`python -m tests.support.bucket SECONDS SCRIPT ...` runs a script with a bucket that takes SECONDS
for each request, and prints the requests as the last line on stderr.
"""

from __future__ import annotations

import collections
import contextlib
import runpy
import sys
import threading
import time

import tensorflow as tf

NAMES = ("exists", "isdir", "stat", "glob", "listdir", "copy", "rename", "remove", "makedirs")


class Requests:
    """The requests to the bucket.

    Attributes:
      delay: seconds that each takes.
      calls: number of requests by name, of which "open" opens a file to read or write it.
      asked: (name, path) of each.
      waited: seconds in which at least one request was under way.
    """

    def __init__(self, delay=0.0):
        self.delay, self.calls, self.asked = delay, collections.Counter(), []
        self.waited = 0.0
        self._under_way, self._since, self._lock = 0, 0.0, threading.Lock()

    @property
    def in_sequence(self):
        """The requests that would take as long one after the other; those side by side are one."""
        return self.waited / self.delay

    def made(self, name, path):
        """Count one request, and wait as long as it takes."""
        if "file://" not in str(path):
            return
        with self._lock:
            self.calls[name] += 1
            self.asked.append((name, str(path)))
            self._since = self._since if self._under_way else time.monotonic()
            self._under_way += 1
        time.sleep(self.delay)
        with self._lock:
            self._under_way -= 1
            if not self._under_way:
                self.waited += time.monotonic() - self._since

    def __str__(self):
        asked = ", ".join(f"{count} {name}" for name, count in sorted(self.calls.items()))
        return f"{asked}; {self.waited:.1f} s"


@contextlib.contextmanager
def requests(delay=0.0):
    """Count the requests within the block, each of which takes `delay` seconds."""
    counted, real = Requests(delay), {name: getattr(tf.io.gfile, name) for name in NAMES}
    file = tf.io.gfile.GFile

    def counting(name):
        def ask(path, *args, **kwargs):
            counted.made(name, path)
            return real[name](path, *args, **kwargs)

        return ask

    class CountedFile(file):
        def __init__(self, name, *args, **kwargs):
            counted.made("open", name)
            super().__init__(name, *args, **kwargs)

    try:
        for name in NAMES:
            setattr(tf.io.gfile, name, counting(name))
        tf.io.gfile.GFile = CountedFile
        yield counted
    finally:
        for name in NAMES:
            setattr(tf.io.gfile, name, real[name])
        tf.io.gfile.GFile = file


if __name__ == "__main__":
    delay, script = float(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    with requests(delay) as counted:
        try:
            runpy.run_path(script, run_name="__main__")
        finally:
            print(counted, file=sys.stderr)
