"""Memory that this process has freed, given back to the system."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Give back what the C library keeps; other libraries than GNU's are left alone.

    It keeps freed blocks of some megabytes, as weights have, and does not always find a place for
    new ones among them: a process that trained a second partition took the memory of both.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
