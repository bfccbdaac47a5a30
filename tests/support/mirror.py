"""An HTTP server with the folders of the published mirrors, which misbehaves when asked to."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import numpy as np

from yt8m.data.files.checksum import masked_crc32c

PLAN = "/2/download_plans/video_train.json"
FOLDER = "/2/video/train/"


class Request(NamedTuple):
    """A request: its method, path, first byte and the bytes that were sent."""

    method: str
    path: str
    start: int
    sent: int


def shard(seed: int, size: int = 3000) -> bytes:
    """Return a TFRecord file of two records of random bytes."""
    made = b""
    for payload in np.random.default_rng(seed).bytes(size), b"last":
        length = len(payload).to_bytes(8, "little")
        made += length + masked_crc32c(length).to_bytes(4, "little")
        made += payload + masked_crc32c(payload).to_bytes(4, "little")
    return made


class Mirror:
    """A server of files in memory.

    Args:
      names: two-character names of the shards of `2/video/train`.
      size: bytes of the first record of each shard.

    Attributes:
      files: path -> content.
      faults: path -> what to do with the next GETs of it, one each: "drop N" (close after N bytes),
        "stall N" (send no more after N bytes), "wrong" (other bytes), "short" (a smaller whole),
        "moved" (redirect to "/moved" and the same path), or a status such as "503".
      ranges: whether byte ranges are answered.
      sizes: whether HEAD is answered.
      pause: seconds between two blocks of a file.
      requests: what was asked, in the order in which it ended.
    """

    def __init__(self, names=("aa", "aA", "Z9", "9z"), size=3000):
        self.files = {
            f"{FOLDER}train{name}.tfrecord": shard(i, size) for i, name in enumerate(names)
        }
        self.faults = defaultdict(list)
        self.ranges, self.sizes, self.pause = True, True, 0.0
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.publish()
        handler = type("Handler", (_Handler,), {"mirror": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def publish(self):
        """Write the plan of the files as they are."""
        shards = {p: c for p, c in self.files.items() if p.startswith(FOLDER)}
        sums = {p.removeprefix(FOLDER): hashlib.md5(c).hexdigest() for p, c in shards.items()}
        self.files[PLAN] = json.dumps({"files": sums}).encode()

    def gets(self, name=""):
        """Return the requests for shards, or those for one, HEAD left out."""
        return [
            r
            for r in self.requests
            if r.method == "GET" and r.path.startswith(FOLDER) and name in r.path
        ]

    def close(self):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        content = self.mirror.files.get(self.path)
        code = 405 if not self.mirror.sizes else 404 if content is None else 200
        self._start(code, len(content or b"") if code == 200 else None)
        self._note(0, 0)

    def do_GET(self):
        mirror, content = self.mirror, self.mirror.files.get(self.path.removeprefix("/moved"))
        with mirror.lock:
            fault = mirror.faults[self.path].pop(0) if mirror.faults[self.path] else ""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and mirror.ranges else 0
        if content is None or fault.isdigit():
            self._start(int(fault or 404), 0)
            self._note(start, 0)
            return
        if fault == "moved":
            self.send_response(302)
            self.send_header("Location", f"/moved{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "wrong":
            content = bytes(255 - b for b in content)
        elif fault == "short":
            content = content[:-7]
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            self._note(start, 0)
            return
        self._start(206 if start else 200, len(content) - start, start, len(content))
        end = start + int(fault.split()[1]) if fault[:4] in ("drop", "stal") else len(content)
        self._note(start, self._send(content[start:end]))
        if fault.startswith("stall"):
            mirror.closing.wait(30)

    def _start(self, code, length, start=0, total=0):
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if code == 206:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if code == 503:
            self.send_header("Retry-After", "0")
        self.end_headers()

    def _send(self, content):
        sent, block = 0, 1 << 14
        try:
            while sent < len(content):
                self.wfile.write(content[sent : sent + block])
                sent += len(content[sent : sent + block])
                if self.mirror.pause:
                    time.sleep(self.mirror.pause)
        except OSError:  # the client has gone
            pass
        return sent

    def _note(self, start, sent):
        with self.mirror.lock:
            self.mirror.requests.append(Request(self.command, self.path, start, sent))
