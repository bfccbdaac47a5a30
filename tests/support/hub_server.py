"""A local server that answers as the Hugging Face Hub does, for a few folders as its models."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import pathlib
import re
import threading
from collections.abc import Iterator

_API = re.compile(r"/api/models/(?P<name>[^/]+/[^/]+)(?:/(?P<what>revision|tree)/(?P<at>[^/?]+))?")
_FILE = re.compile(r"/(?P<name>[^/]+/[^/]+)/resolve/(?P<at>[^/]+)/(?P<path>.+)")


class Hub(http.server.ThreadingHTTPServer):
    """The server.

    Attributes:
      folders: "owner/name" -> the folder with its files.
      private: names that only exist for whoever sends the token "secret".
      gated: names whose files need a permission.
      asked: the requests' methods and paths.
      failing: whether every request fails.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders: dict[str, pathlib.Path] = {}
        self.private: set[str] = set()
        self.gated: set[str] = set()
        self.asked: list[str] = []
        self.failing = False

    @property
    def endpoint(self) -> str:
        """The address for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def commit(self, name: str) -> str:
        """Return the commit of a model: it changes with its files."""
        digest = hashlib.sha1()
        for path, content in sorted(self.files(name).items()):
            digest.update(path.encode() + content)
        return digest.hexdigest()

    def files(self, name: str) -> dict[str, bytes]:
        """Return path -> content of a model's files."""
        folder = self.folders[name]
        found = (p for p in folder.rglob("*") if p.is_file())
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_):
        """Print nothing."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.server.asked.append(f"{self.command} {self.path}")
        if self.server.failing:
            return self.answer(500, b"broken")
        api, file = _API.match(self.path), _FILE.match(self.path)
        match = api or file
        name = match["name"] if match else ""
        allowed = self.headers.get("Authorization") == "Bearer secret"
        if name not in self.server.folders or (name in self.server.private and not allowed):
            return self.refuse(401, "RepoNotFound")
        commit = self.server.commit(name)
        if match["at"] not in (None, "main", commit):
            return self.refuse(404, "RevisionNotFound")
        if api:
            return self.describe(name, commit, api["what"])
        if name in self.server.gated:
            return self.refuse(403, "GatedRepo")
        content = self.server.files(name).get(file["path"])
        if content is None:
            return self.refuse(404, "EntryNotFound")
        return self.answer(200, content, self.about(content, commit))

    def describe(self, name, commit, what):
        files = self.server.files(name)
        if what == "tree":
            answer = [
                {"type": "file", "path": p, "size": len(c), "oid": _digest(c)}
                for p, c in files.items()
            ]
        else:
            answer = {"id": name, "modelId": name, "sha": commit, "private": False}
            answer["siblings"] = [{"rfilename": path} for path in files]
        return self.answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def about(self, content, commit):
        return {"ETag": f'"{_digest(content)}"', "X-Repo-Commit": commit}

    def refuse(self, code, error):
        return self.answer(code, b"{}", {"X-Error-Code": error, "X-Error-Message": error})

    def answer(self, code, content, headers=()):
        self.send_response(code)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """Run a server on a free port until the block ends."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
