"""A fake of Google's object storage, as far as TensorFlow's own file system asks it: `gs://`.

It answers the JSON interface over HTTPS, to whoever takes its address for that of googleapis.com.
An object is put by a resumable upload, and is seen when that has ended. It cannot be appended to,
and renaming it is a copy and a deletion.

`python -m tests.largescale.storage.google_store HOST FOLDER CLIENT NAMES COUNT` runs the server.
Its certificate and its objects are files of FOLDER; see `Holding` for the rest.
"""

from __future__ import annotations

import http.server
import json
import pathlib
import ssl
import subprocess
import sys
import urllib.parse

from tests.support.object_store import Holding

NAMES = ("www.googleapis.com", "storage.googleapis.com")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, values):
        self._answer(200, json.dumps(values).encode())

    def _asked(self):
        """Return the parts of the path, each unquoted, and the query."""
        url = urllib.parse.urlsplit(self.path)
        return [urllib.parse.unquote(p) for p in url.path.split("/")[1:]], dict(
            urllib.parse.parse_qsl(url.query)
        )

    def do_GET(self):
        parts, query = self._asked()
        if parts[:2] != ["storage", "v1"]:
            self._content("/".join(parts))
        elif len(parts) == 4:
            self._json({"location": "HERE"})
        elif len(parts) == 5:
            self._listing(parts[3], query)
        else:
            self._about(f"{parts[3]}/{parts[5]}")

    def _content(self, name):
        content = self.server.objects.get(name)
        if content is None:
            self._answer(404)
            return
        first, last = self.headers.get("Range", "bytes=0-").partition("=")[2].split("-")
        if int(first) >= len(content):
            self._answer(416)
            return
        self._answer(206, content[int(first) : int(last or len(content)) + 1])

    def _about(self, name):
        content = self.server.objects.get(name)
        if content is None:
            self._answer(404)
            return
        when = "2026-01-01T00:00:00.000Z"
        self._json({"size": str(len(content)), "generation": "1", "updated": when})

    def _listing(self, bucket, query):
        start, cut = f"{bucket}/{query.get('prefix', '')}", query.get("delimiter")
        found, folders = [], set()
        for name in sorted(self.server.objects):
            if name.startswith(start):
                below, more, _ = name[len(start) :].partition(cut or "\0")
                if more:
                    folders.add(name[len(bucket) + 1 : len(start)] + below + more)
                else:
                    found.append({"name": name[len(bucket) + 1 :]})
        most = int(query.get("maxResults", 1000))
        self._json({"items": found[:most], "prefixes": sorted(folders)[:most]})

    def do_POST(self):
        self._sent()
        parts, query = self._asked()
        if "rewriteTo" in parts:
            source = self.server.objects.get(f"{parts[3]}/{parts[5]}")
            if source is None:
                self._answer(404)
                return
            self.server.objects[f"{parts[8]}/{parts[10]}"] = source
            self._json({"done": True})
        else:
            name = urllib.parse.quote(f"{parts[4]}/{query['name']}", safe="")
            self._answer(200, Location=f"https://{NAMES[0]}/session/{name}")

    def do_PUT(self):
        content = self._sent()
        if content is None:
            self.close_connection = True
            return
        name = self._asked()[0][1]
        if self.server.holds(self.client_address[0], name):
            self.close_connection = True
            return
        self.server.objects[name] = content
        self._json({})

    def _sent(self):
        """Return what was sent with the request, or None if its sender has died before its end."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            content = self.rfile.read(length)
            return content if len(content) == length else None
        content = b""
        while True:
            line = self.rfile.readline()
            length = int(line, 16) if line.strip() else -1
            chunk = self.rfile.read(max(0, length))
            if len(chunk) != length or not self.rfile.readline():
                return None
            if not chunk:
                return content
            content += chunk

    def do_DELETE(self):
        parts, _ = self._asked()
        gone = self.server.objects.pop(f"{parts[3]}/{parts[5]}", None) is None
        self._answer(404 if gone else 204)

    def log_message(self, *_):
        pass


class Objects(dict):
    """The bytes of BUCKET/NAME, of which each is a file of a folder too."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        super().__init__((urllib.parse.unquote(f.name), f.read_bytes()) for f in folder.iterdir())

    def __setitem__(self, name, content):
        super().__setitem__(name, content)
        self._file(name).write_bytes(content)

    def pop(self, name, default):
        self._file(name).unlink(missing_ok=True)
        return super().pop(name, default)

    def _file(self, name):
        return self._folder / urllib.parse.quote(name, safe="")


class Server(Holding, http.server.ThreadingHTTPServer):
    """The server, with `objects`."""

    daemon_threads = True

    def __init__(self, host, folder):
        super().__init__((host, 443), _Handler)
        self.objects = Objects(folder / "objects")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate", folder / "key")
        # A client that dies while it introduces itself must not keep the others waiting.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )


def make_certificate(folder):
    """Write files `certificate` and `key` for Google's names, which only this server has."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={NAMES[0]}"),
            *("-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES)),
            *("-keyout", f"{folder}/key", "-out", f"{folder}/certificate"),
        ],
        check=True,
        capture_output=True,
    )


if __name__ == "__main__":
    server = Server(sys.argv[1], pathlib.Path(sys.argv[2]))
    server.hold(*sys.argv[3:])
    server.serve_forever()
