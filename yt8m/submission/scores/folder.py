"""A folder of scores that gets its name only when it is whole."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid

from yt8m import locks
from yt8m.errors import UserError
from yt8m.files import CannotGoOn

META, IDS = "meta.json", "ids.txt"
_ARRAYS = frozenset({"scores.npy", "top_classes.npy", "top_scores.npy", "top_rest.npy"})
_PARQUET = ".parquet"
_OWNER = "owner.txt"  # in an unfinished folder: which process began it


class PartialFolder:
    """`path + ".partial"`, which replaces an existing folder of scores at `path` when it is whole.

    Args:
      path: a local folder.
      flag: the flag that gave the path; error messages name it.
      go_on: `owner` of the folder that a killed process has left and that is taken; None starts
        from the beginning.

    Attributes:
      path: where the folder will be.
      partial: where it is until then.
      owner: text that no other unfinished folder has.

    Raises:
      UserError: the path is remote, cannot be written, or is a folder of something else; or another
        process is writing it.
      CannotGoOn: nothing was left, or another command has begun the folder again since then.
    """

    def __init__(self, path: str, flag: str, go_on: str | None = None):
        self.path, self._flag = local(path, flag), flag
        self.partial = self.path + ".partial"
        with contextlib.ExitStack() as locked:
            lock = locks.held(locks.beside(self.path), f"{flag}={self.path}")
            locked.enter_context(lock)
            self.owner = self._begun(go_on)
            self._locked = locked.pop_all()

    def _begun(self, go_on: str | None) -> str:
        """Make the partial folder, or find it; return who began it."""
        path, flag = self.path, self._flag
        if os.path.exists(self.path) and not _is_replaceable(self.path):
            raise UserError(
                f"{flag}={path!r} exists and is not a score folder, so it is not overwritten. Name"
                " another folder."
            )
        if go_on is None:
            try:
                return self._begin()
            except OSError as error:
                raise self.unwritable(error) from None
        try:
            if not os.path.isfile(self.file(_OWNER)):  # a pipe would never be opened
                raise FileNotFoundError
            with open(self.file(_OWNER), "rb") as found:
                if found.read(len(go_on) + 1) != go_on.encode():
                    raise CannotGoOn(f"{self.partial} was begun again by another command")
            return go_on
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise CannotGoOn(f"{self.partial} is not there") from None
        except OSError as error:
            raise self.unwritable(error) from None

    def _begin(self) -> str:
        self._remove_unfinished()
        os.makedirs(self.partial)
        owner = uuid.uuid4().hex
        with open(self.file(_OWNER), "w", encoding="utf-8") as out:
            out.write(owner)
        return owner

    def _remove_unfinished(self) -> None:
        """Remove the partial folder of a process that was killed."""
        if not os.path.isdir(self.partial):
            return
        if not all(map(_is_ours, os.listdir(self.partial))):
            raise UserError(
                f"{self.partial!r} contains unknown files; delete that folder, or change"
                f" {self._flag}."
            )
        shutil.rmtree(self.partial)

    def file(self, name: str) -> str:
        """Return the path of a file in the partial folder."""
        return os.path.join(self.partial, name)

    def finish(self) -> None:
        """Give the folder its name.

        Raises:
          OSError: it cannot be renamed.
        """
        os.remove(self.file(_OWNER))
        # A folder cannot be renamed to the name of another that is not empty.
        old = self.path + ".old"
        if os.path.isdir(self.path):
            shutil.rmtree(old, ignore_errors=True)
            os.rename(self.path, old)
        os.rename(self.partial, self.path)
        shutil.rmtree(old, ignore_errors=True)
        self.leave()

    def leave(self) -> None:
        """Let other processes write the folder."""
        self._locked.close()

    def remove(self) -> None:
        """Delete what was written."""
        shutil.rmtree(self.partial, ignore_errors=True)
        self.leave()

    def unwritable(self, error: OSError) -> UserError:
        """Return the error to raise if the operating system refuses to write."""
        return UserError(
            f"cannot write to {self.path!r}: {error.strerror}. Set {self._flag} to a writable"
            " folder."
        )


def local(path: str, flag: str) -> str:
    """Return a local path without its last slash.

    Raises:
      UserError: the path is remote or empty.
    """
    if "://" in path:
        raise UserError(
            f"{flag}={path!r}: scores are memory-mapped, which requires a local folder; name a"
            " local folder."
        )
    if not path:
        raise UserError(f"{flag} is empty; name a folder.")
    return path.rstrip("/") or "/"


def part_name(number: int) -> str:
    """Return the name of a part of a Parquet folder."""
    return f"part-{number:05d}{_PARQUET}"


def parts_of(path: str) -> list[str]:
    """Return the Parquet files of a folder, or the path itself if it is such a file."""
    if not os.path.isdir(path):
        return [path] if path.endswith(_PARQUET) and os.path.isfile(path) else []
    names = sorted(name for name in os.listdir(path) if name.endswith(_PARQUET))
    return [os.path.join(path, name) for name in names]


def _is_ours(name: str) -> bool:
    return name in _ARRAYS or name in (META, IDS, _OWNER) or _is_part(name)


def _is_part(name: str) -> bool:
    # Other programs write part-0.parquet, or a hash after the number: what is theirs is not ours.
    return re.fullmatch(r"part-\d{5,}\.parquet", name) is not None


def _is_replaceable(path: str) -> bool:
    if not os.path.isdir(path):
        return False
    names = os.listdir(path)
    arrays = META in names and not _ARRAYS.isdisjoint(names)
    # A Parquet folder is the only one that people add files to.
    return arrays or all(map(_is_part, names))
