"""What workers are told of files: paths that mean the same in every working directory, and the words where they do not."""

from __future__ import annotations

import os
import socket

from yt8m.errors import UserError

LOCAL = (
    "--train_dir must be a local folder (or one mounted on every node) for --trainer=alternating"
)


def absolute(path: str) -> str:
    """Return a path as a worker elsewhere must name it: absolute, unless it is of a remote file system."""
    return path if "://" in path else os.path.abspath(path)


def local_folder(folder: str, remedy: str = "name a local folder by --cache") -> str:
    """Return a folder whose files can be memory-mapped.

    Args:
      folder: its path.
      remedy: which flag mends it.

    Raises:
      UserError: it is a remote one.
    """
    if "://" in folder:
        raise UserError(f"features are memory-mapped, and {folder} is remote: {remedy}.")
    return folder


def check_plan(folder: str, name: str) -> None:
    """Refuse, in a worker, a folder that is not the one of the process that sent the task.

    Args:
      folder: of the task.
      name: of a file that was in it before the task was sent.

    Raises:
      UserError: it is not there.
    """
    if not os.path.exists(os.path.join(folder, name)):
        raise not_shared(
            f"{os.path.join(folder, name)} is not there, though it was written before this task was sent"
        )


def not_shared(found: str) -> UserError:
    """Return the error of a cluster whose nodes do not see the same files; `found` says what is missing, and where."""
    return UserError(
        f"{found} (seen from {socket.gethostname()}). On a cluster every node must see the same files under the same path:"
        " --train_dir, and the records, must lie on a folder that all nodes share, such as a network file system."
    )
