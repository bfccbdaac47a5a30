"""An input and what it is given to: a target's name, changed files and arguments."""

from __future__ import annotations

import base64
import json
import os
import shutil
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

HERE = "{in}"  # stands for the case's folder in arguments


class Case(NamedTuple):
    """A case, which one file of JSON holds.

    Attributes:
      target: name of the target.
      files: the changed files by their path in the case's folder: their content; None deletes the
        file, and text that begins with "->" makes a link to what follows, "/" a folder.
      arguments: those of the command, with `HERE` for the folder; empty for functions.
    """

    target: str
    files: dict[str, bytes | str | None]
    arguments: tuple[str, ...] = ()

    def to_json(self, **about: Any) -> str:
        """Return the text that `from_json` reads.

        Args:
          **about: notes for people, such as the seed.
        """
        packed = {
            name: {"zlib": base64.b64encode(zlib.compress(value, 9)).decode()}
            if isinstance(value, bytes)
            else value
            for name, value in self.files.items()
        }
        values = {"target": self.target, "arguments": list(self.arguments), "files": packed}
        return json.dumps({**about, **values}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Return the case that `to_json` wrote."""
        values = json.loads(text)
        files = {
            name: zlib.decompress(base64.b64decode(value["zlib"]))
            if isinstance(value, dict)
            else value
            for name, value in values["files"].items()
        }
        return cls(values["target"], files, tuple(values["arguments"]))


class Target(NamedTuple):
    """Something that reads what people give it.

    Attributes:
      name: its name.
      kind: the kind of input: "records", "texts", "scores", "settings", "weights", "archives" or
        "flags".
      needs: files and folders of the inputs that a case's folder has before it is changed.
      changes: strategy of the changed files, `Case.files`.
      arguments: strategy of the command line, the command first, or None for a function.
      function: is called with the case's folder if there is no command.
      share: how often its cases come, relative to others.
      codes: exit codes besides 0 and 2 that the command has for bad data.
    """

    name: str
    kind: str
    needs: tuple[str, ...]
    changes: Any
    arguments: Any = None
    function: Callable[[str], object] | None = None
    share: float = 1.0
    codes: tuple[int, ...] = ()


def lay_out(case: Case, needs: tuple[str, ...], inputs: str, folder: str) -> None:
    """Make a case's folder.

    Args:
      case: the case.
      needs: what of the inputs it has.
      inputs: the folder of valid inputs.
      folder: the new folder.
    """
    os.makedirs(folder)
    for name in needs:
        source, copy = os.path.join(inputs, name), os.path.join(folder, name)
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, copy, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, copy)
    _change(case.files, folder)


def _change(files: Mapping[str, bytes | str | None], folder: str) -> None:
    for name, content in files.items():
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.remove(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if content == "/":
            os.makedirs(path)
        elif isinstance(content, str):
            os.symlink(content.removeprefix("->"), path)
        elif content is not None:
            with open(path, "wb") as out:
                out.write(content)
