"""Models on the Hugging Face Hub, as folders on this machine: `hf://OWNER/NAME[@REVISION]`.

`local` is the only place where such an address is resolved: `yt8m.runs.folder.RunFolder` calls it,
so that every command and function that reads a run also reads one from the Hub. Nothing that a
repository contains is executed: its files are JSON, CSV and arrays of numbers.
"""

from __future__ import annotations

import functools
import json
import os
import re

from yt8m.errors import UserError

PREFIX = "hf://"
# The files that make a run readable. `yt8m publish` puts them at the top; best/ and last/ are
# those of a run's folder that was uploaded as it is.
_FILES = ["*.json", "*.csv", "*.npy", "*.weights.h5", "best/*", "last/*"]
_CONFIG = "config.json"
_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>\S+))?")
EXTRA = "huggingface_hub is not installed; install it: pip install 'yt8m[hub]'."


def is_address(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names a model on the Hub."""
    return os.fspath(path).startswith(PREFIX)


def refuse_to_write(path: str, flag: str) -> None:
    """Refuse a model on the Hub where a folder will be written.

    Raises:
      UserError: `path` is an address on the Hub.
    """
    if is_address(path):
        raise UserError(
            f"{flag}={path} is a model on the Hugging Face Hub, which is only read; name a folder."
        )


def local(path: str) -> str:
    """Return a folder on this machine with the files that `path` names.

    A path that is no address on the Hub is returned unchanged. A repository is downloaded once
    into huggingface_hub's cache, and is up to date when the function is first called with its
    address; the same process then keeps that commit.

    Raises:
      UserError: the address is malformed, huggingface_hub is missing, the repository cannot be had,
        or it holds no model of this program.
    """
    return _downloaded(path) if is_address(path) else path


@functools.cache
def _downloaded(address: str) -> str:
    match = _NAME.fullmatch(address[len(PREFIX) :].rstrip("/"))
    if not match:
        raise UserError(
            f"{address!r} does not name a model on the Hugging Face Hub; write"
            f" {PREFIX}OWNER/NAME, or {PREFIX}OWNER/NAME@REVISION for a branch, a tag or a commit."
        )
    repository, revision = match["repository"], match["revision"]
    # The small file first: a repository of another program is refused before its weights come.
    folder = _snapshot(address, repository, revision, [_CONFIG])
    _check_is_ours(address, os.path.join(folder, _CONFIG))
    # The cache names a snapshot's folder by its commit, and a branch may move in between.
    return _snapshot(address, repository, os.path.basename(folder), _FILES)


def _snapshot(address: str, repository: str, revision: str | None, patterns: list[str]) -> str:
    """Return the cache's folder with a repository's files that match `patterns`."""
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        raise UserError(f"{address}: {EXTRA}") from None
    try:
        return snapshot_download(repository, revision=revision, allow_patterns=patterns)
    except errors.GatedRepoError:
        raise UserError(
            f"{address} is gated: ask for access on its page, and log in with `hf auth login`."
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"{address}: the Hugging Face Hub has no such model, or it is private. Check the name;"
            " for a private one, log in with `hf auth login`, or set HF_TOKEN."
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(
            f"{address}: the repository has no revision {revision!r}; name a branch, a tag or a"
            " commit after the @."
        ) from None
    except errors.HFValidationError as error:
        raise UserError(f"{address} is not a repository's name ({_line(error)}).") from None
    except errors.LocalEntryNotFoundError:
        raise UserError(
            f"{address} is not in the cache, and the Hugging Face Hub cannot be reached; check the"
            " network, HF_ENDPOINT and HF_HUB_OFFLINE."
        ) from None
    # The library for HTTP below differs from version to version, and its errors have no base.
    except Exception as error:
        raise UserError(f"{address} cannot be downloaded ({_line(error)}).") from None


def _check_is_ours(address: str, config: str) -> None:
    values = None
    if os.path.exists(config):
        with open(config, encoding="utf-8") as f:
            try:
                values = json.load(f)
            except ValueError:
                values = None
    if not (isinstance(values, dict) and {"schema", "model", "recipe"} <= set(values)):
        raise UserError(
            f"{address} is not a model of yt8m: it has no {_CONFIG} of a run. `yt8m publish` makes"
            " the folder to upload."
        )


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
