"""Paths that are valid for every worker, and errors for folders that are not shared."""

from __future__ import annotations

import os
import socket

from yt8m.errors import UserError


def absolute(path: str) -> str:
    """Return `path` in a form that a worker with another working directory can use.

    Local paths become absolute; paths of remote file systems (gs://) stay as they are.
    """
    return path if "://" in path else os.path.abspath(path)


def local_folder(folder: str) -> str:
    """Return `folder` unchanged if its files can be memory-mapped.

    Args:
      folder: a path.

    Raises:
      UserError: the folder is remote.
    """
    if "://" in folder:
        raise UserError(
            f"features are memory-mapped, and {folder} is remote: name a local folder by --cache."
        )
    return folder


def check_plan(folder: str, name: str) -> None:
    """Raise an error in a worker that does not see the folder of the process that sent its task.

    Args:
      folder: the folder that the task names.
      name: a file that was written there before the task was sent.

    Raises:
      UserError: the file is not there.
    """
    path = os.path.join(folder, name)
    if "://" in folder:
        return  # Whoever reads a store of objects says what is not there.
    if not os.path.exists(path):
        raise not_shared(f"{path} is not there, although it was written before this task was sent")


def not_shared(found: str) -> UserError:
    """Return the error for a cluster whose nodes do not see the same files.

    Args:
      found: which file is missing, and where; it starts the message.
    """
    return UserError(
        f"{found} (seen from {socket.gethostname()}). On a cluster every node must see the same"
        " files under the same path: --train_dir, and the records, must lie on a folder that all"
        " nodes share, such as a network file system; --shared_store takes the place of"
        " --train_dir."
    )
