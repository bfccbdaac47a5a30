"""A store of objects to test with: an HTTP server, and fsspec's file system for it, `whole://`.

It has what such stores have, and lacks what they lack. An object is put as a whole, by one request,
and is seen when the request has ended; nothing can be appended, renamed or locked; a folder is only
the beginning of names. A request whose sender dies before its end puts nothing.

`python -m tests.support.object_store HOST:PORT CLIENT NAMES COUNT` runs the server; see `Holding`.

`plugin(folder)` makes a distribution for PYTHONPATH, by which every process finds the file system.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import re
import sys
import threading
import urllib.error
import urllib.request

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

_LONGEST = 300.0  # seconds that a request takes


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self, code, body=b"", length=None):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self):
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) < length or self.server.holds(self.client_address[0], self.path):
            self.close_connection = True
            return
        self.server.objects[self.path] = content
        self.server.asked.append(("PUT", self.path))
        self._answer(200)

    def do_GET(self):
        self.server.asked.append((self.command, self.path))
        if self.path.startswith("/?"):  # a listing of all names with a beginning
            start = self.path[2:]
            found = {k: len(v) for k, v in self.server.objects.items() if k.startswith(start)}
            self._answer(200, json.dumps(found).encode())
            return
        content = self.server.objects.get(self.path)
        if content is None:
            self._answer(404)
            return
        if "Range" in self.headers:
            first, last = self.headers["Range"].partition("=")[2].split("-")
            content = content[int(first) : int(last) + 1]
        self._answer(200, content)

    do_HEAD = do_GET

    def do_DELETE(self):
        self._answer(200 if self.server.objects.pop(self.path, None) is not None else 404)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """The server; `objects` maps paths to bytes, and `asked` lists (method, path)."""

    daemon_threads = True

    def __init__(self, address):
        super().__init__(address, _Handler)
        self.objects, self.asked = {}, []

    def holds(self, client, name):
        """Return whether an object is not to be kept, after its sender has waited in vain."""
        return False


class Holding:
    """A server's part that prints what is put, and lets a test end a sender at a known moment.

    It never answers the `count`-th object that the machine `client` puts with a name in which the
    expression `names` is found, and prints HELD. Until then it answers no other machine that puts
    one, so that each has some to put.
    """

    def hold(self, client, names, count):
        self._client, self._names, self._count = client, re.compile(names), int(count)
        self._held, self._lock, self._seen = threading.Event(), threading.Lock(), 0

    def holds(self, client, name):
        print("PUT", name, client, flush=True)
        if not self._names.search(name) or self._held.is_set():
            return False
        if client != self._client:
            self._held.wait(_LONGEST)
            return False
        with self._lock:
            self._seen += 1
            if self._seen < self._count:
                return False
        print("HELD", name, client, flush=True)
        self._held.set()
        threading.Event().wait(_LONGEST)
        return True


class HoldingServer(Holding, Server):
    """The server that holds one request."""


@contextlib.contextmanager
def serving():
    """Run a server on this machine, and yield it and the address of a bucket."""
    import fsspec

    fsspec.register_implementation("whole", Whole, clobber=True)
    server = Server(("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server, f"whole://127.0.0.1:{server.server_port}/bucket"
    finally:
        server.shutdown()
        server.server_close()


class Whole(AbstractFileSystem):
    """`whole://host:port/name`."""

    protocol = "whole"

    def _ask(self, method, path, body=None, **headers):
        host, _, name = self._strip_protocol(path).partition("/")
        request = urllib.request.Request(
            f"http://{host}/{name}", data=body, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_LONGEST) as answer:
                return int(answer.headers["Content-Length"]), answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            raise FileNotFoundError(path) from error

    def info(self, path, **_):
        path = self._strip_protocol(path)
        with contextlib.suppress(FileNotFoundError):
            return {"name": path, "size": self._ask("HEAD", path)[0], "type": "file"}
        self.ls(path)
        return {"name": path, "size": 0, "type": "directory"}

    def ls(self, path, detail=True, **_):
        path = self._strip_protocol(path).rstrip("/")
        host, _, name = path.partition("/")
        sizes = json.loads(self._ask("GET", f"{host}/?/{name}/")[1])
        found = {}
        for key, size in sizes.items():
            below, _, more = key[len(name) + 2 :].partition("/")
            kind = "directory" if more else "file"
            found[below] = {"name": f"{path}/{below}", "size": size, "type": kind}
        if not found:
            raise FileNotFoundError(path)
        return list(found.values()) if detail else [f["name"] for f in found.values()]

    def put_file(self, lpath, rpath, **_):
        self._ask("PUT", rpath, pathlib.Path(lpath).read_bytes())

    def rm_file(self, path):
        self._ask("DELETE", path)

    def _rm(self, path):
        if self.isfile(path):
            self.rm_file(path)

    def _open(self, path, mode="rb", **_):
        if mode != "rb":
            raise NotImplementedError("an object is put as a whole")
        return _Object(self, path, mode)


class _Object(AbstractBufferedFile):
    def _fetch_range(self, start, end):
        return self.fs._ask("GET", self.path, Range=f"bytes={start}-{end - 1}")[1]


def plugin(folder):
    """Make a folder for PYTHONPATH that makes `whole://` known to fsspec in every process."""
    about = pathlib.Path(folder, "whole_store-1.dist-info")
    about.mkdir(parents=True)
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: whole-store\nVersion: 1\n")
    about.joinpath("entry_points.txt").write_text(
        "[fsspec.specs]\nwhole = tests.support.object_store:Whole\n"
    )
    return str(folder)


if __name__ == "__main__":
    host, port = sys.argv[1].split(":")
    server = HoldingServer((host, int(port)))
    server.hold(*sys.argv[2:])
    server.serve_forever()
