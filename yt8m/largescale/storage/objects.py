"""Whole objects at addresses, in the file systems of TensorFlow and, for other schemes, of fsspec.

A store of objects (`s3://`, `gs://`) can neither rename, append nor lock. An object that fsspec's
file systems put appears when it is complete. TensorFlow's own file systems write to another name,
which is changed at the end. Paths without a scheme are files of this machine.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from yt8m import stored
from yt8m.errors import UserError
from yt8m.files import temporary, whole

_ABSENT = (FileNotFoundError, tf.errors.NotFoundError)


@contextlib.contextmanager
def _explained(address: str, *passed: type[Exception]) -> Iterator[None]:
    """Turn what a store refuses into an error that names the address.

    Args:
      address: what was asked for.
      *passed: errors that are the caller's.

    Raises:
      UserError: the store cannot be reached, or refuses.
    """
    try:
        yield
    except Exception as error:  # each of fsspec's file systems has its own
        if isinstance(error, (UserError, *passed)):
            raise
        lines = str(error).splitlines() or [""]
        raise UserError(
            f"{address} cannot be reached ({type(error).__name__}: {lines[0][:200]}). Every node"
            " needs access to --shared_store."
        ) from error


def _fsspec(address: str) -> tuple[Any, str] | None:
    """Return fsspec's file system for an address and the path in it; None if TensorFlow has one.

    Raises:
      UserError: fsspec, or its file system for this scheme, is not installed, or the store cannot
        be reached.
    """
    scheme = address.partition("://")[0]
    if "://" not in address or scheme in tf.io.gfile.get_registered_schemes():
        return None
    with _explained(address):  # ftp:// connects at once
        try:
            from fsspec.core import url_to_fs

            # Another node may have put an object since an earlier listing.
            system, path = url_to_fs(address, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise UserError(
                f"{address}: neither TensorFlow nor fsspec reads {scheme}:// here ({error}). `pip"
                " install '.[cloud]'` installs s3:// and gs://."
            ) from error
    return system, path


def check(address: str) -> None:
    """Ask the store of an address a question, so that a wrong one is refused before any work.

    Raises:
      UserError: the store cannot be reached.
    """
    exists(os.path.join(address, "check"))


def exists(address: str) -> bool:
    """Return whether there is an object at an address.

    Raises:
      UserError: the store cannot be reached.
    """
    found = _fsspec(address)
    if found is None:
        with _explained(address):
            return stored.exists(address)
    try:
        with _explained(address, *_ABSENT):  # `isfile` would call a store that is away an empty one
            return bool(found[0].info(found[1])["type"] == "file")
    except FileNotFoundError:
        return False


def size(address: str) -> int | None:
    """Return the bytes of an object, or None if there is none."""
    found = _fsspec(address)
    try:
        with _explained(address, *_ABSENT):
            if found is None:
                return int(tf.io.gfile.stat(address).length)
            return int(found[0].info(found[1])["size"])
    except _ABSENT:
        return None


@contextlib.contextmanager
def reading(address: str) -> Iterator[tuple[Any, int]]:
    """Yield an object opened to read bytes, and its size.

    Raises:
      FileNotFoundError: there is none, in a store of fsspec.
      tf.errors.NotFoundError: there is none, in a file system of TensorFlow.
      ValueError: what the caller raises about the content.
      UserError: the store cannot be reached.
    """
    found = _fsspec(address)
    if found is None:
        with tf.io.gfile.GFile(address, "rb") as f:
            yield f, f.size()
        return
    with _explained(address, *_ABSENT, ValueError), found[0].open(found[1], "rb") as f:
        yield f, int(f.size)


@contextlib.contextmanager
def writing(address: str) -> Iterator[Any]:
    """Yield a file to write the bytes of an object, which appears if the block completes.

    What goes to a store of fsspec is kept on the local disk until then.

    Raises:
      UserError: the store cannot be reached.
    """
    if _fsspec(address) is None:
        unfinished = temporary(address)
        with tf.io.gfile.GFile(unfinished, "wb") as f:
            yield f
        tf.io.gfile.rename(unfinished, address, overwrite=True)
        return
    with tempfile.NamedTemporaryFile(prefix="yt8m-") as here:
        yield here
        here.flush()
        put(here.name, address)


def read(address: str) -> bytes | None:
    """Return the bytes of a small object, or None if there is none."""
    try:
        with _explained(address, *_ABSENT), reading(address) as (f, _):
            return bytes(f.read())
    except _ABSENT:
        return None


def get(address: str, path: str) -> bool:
    """Copy an object to a local file, which has its name when it is complete.

    Returns:
      Whether there is such an object.
    """
    found = _fsspec(address)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with whole(path) as unfinished, _explained(address, *_ABSENT):
            if found is None:
                tf.io.gfile.copy(address, unfinished)
            else:
                found[0].get_file(found[1], unfinished)
    except _ABSENT:
        return False
    return True


def put(path: str, address: str) -> None:
    """Copy a local file to an address, where it replaces an older object when it is complete."""
    found = _fsspec(address)
    if found is None:
        with _explained(address):
            tf.io.gfile.makedirs(os.path.dirname(address))
            with whole(address) as unfinished:
                tf.io.gfile.copy(path, unfinished)
        return
    with _explained(address):
        found[0].put_file(path, found[1])


def make_folder(address: str) -> None:
    """Make a folder where the file system has some."""
    if _fsspec(address) is None:
        tf.io.gfile.makedirs(address)


def remove(address: str) -> None:
    """Delete an object, or do nothing if there is none."""
    found = _fsspec(address)
    try:
        if found is None:
            tf.io.gfile.remove(address)
        else:
            with _explained(address, *_ABSENT):
                found[0].rm_file(found[1])
    except _ABSENT:
        pass


def remove_folder(address: str) -> None:
    """Delete all objects below an address; do nothing if there are none."""
    found = _fsspec(address)
    try:
        if found is None:
            tf.io.gfile.rmtree(address)
        else:
            with _explained(address, *_ABSENT):
                below = found[0].find(found[1])
                if below:
                    found[0].rm(below)
    except _ABSENT:
        pass
