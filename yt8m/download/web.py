"""HTTP requests for the rest of a file, with errors sorted into those worth another try.

`urllib` follows redirects and the proxy settings of the environment, and a download needs nothing
more; the retries and byte ranges are the caller's.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterator

_CHUNK = 1 << 16
_BUSY = frozenset({408, 425, 429})


class Dropped(Exception):
    """The connection or the server failed in a way that may pass.

    Args:
      reason: what happened.
      wait: seconds that the server wants a client to wait; 0 if it did not say.
    """

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class Refused(Exception):
    """The server's answer is final: the file is missing or forbidden."""


class BeyondEnd(Exception):
    """The requested range begins at or after the end of the file.

    Args:
      total: size of the file, or None if the server did not say.
    """

    def __init__(self, total: int | None):
        super().__init__(f"the range begins at or after the end of {total} bytes")
        self.total = total


class Answer:
    """An open response.

    Args:
      response: from `urllib`.

    Attributes:
      start: byte of the file with which the response begins; 0 if the server ignored the range.
      total: size of the whole file in bytes, or None if the server did not say.
    """

    def __init__(self, response: http.client.HTTPResponse):
        self._response = response
        self.start, self.total = 0, None
        ranged = _content_range(response.headers.get("Content-Range"))
        if response.status == 206 and ranged:
            self.start, self.total = ranged
        elif response.headers.get("Content-Length", "").isdigit():
            self.total = int(response.headers["Content-Length"])

    def chunks(self) -> Iterator[bytes]:
        """Yield the content as it arrives.

        Raises:
          Dropped: the connection failed.
        """
        while True:
            try:
                chunk = self._response.read1(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise Dropped(_reason(error)) from None
            if not chunk:
                return
            yield chunk


@contextlib.contextmanager
def opened(
    url: str, start: int = 0, timeout: float = 30.0, method: str = "GET"
) -> Iterator[Answer]:
    """Request a file from byte `start` on.

    Raises:
      Dropped: the connection or the server failed.
      Refused: the server does not give this file.
      BeyondEnd: the file has no byte `start`.
    """
    request = urllib.request.Request(url, method=method)
    request.add_header("User-Agent", "yt8m")
    request.add_header("Accept-Encoding", "identity")
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        raise _sorted_error(error) from None
    except (OSError, http.client.HTTPException) as error:
        raise Dropped(_reason(error)) from None
    with response:
        yield Answer(response)


def size_of(url: str, timeout: float) -> int | None:
    """Return the size of a file in bytes, or None if the server does not say."""
    try:
        with opened(url, timeout=timeout, method="HEAD") as answer:
            return answer.total
    except (Dropped, Refused, BeyondEnd):
        return None


def _sorted_error(error: urllib.error.HTTPError) -> Exception:
    said = f"{error.code} {error.reason}"
    if error.code == 416:
        found = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        return BeyondEnd(int(found[1]) if found else None)
    if error.code >= 500 or error.code in _BUSY:
        wait = error.headers.get("Retry-After", "")
        return Dropped(f"the server answered {said}", float(wait) if wait.isdigit() else 0.0)
    return Refused(said)


def _content_range(header: str | None) -> tuple[int, int | None] | None:
    """Return the start and the total of a `Content-Range`, or None if it has another form."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header or "")
    return (int(found[1]), None if found[2] == "*" else int(found[2])) if found else None


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None) or error
    return str(inner) or type(inner).__name__
