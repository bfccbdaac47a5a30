"""What can become of a file, and a sweep of it over files and what reads them."""

from __future__ import annotations

import os
import pathlib
import resource
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from yt8m.process.guard import explanation

Read = Callable[[], object]
Damage = Callable[[pathlib.Path], object]


def flipped(path: pathlib.Path, seed: int) -> None:
    """Flip some bits."""
    content = bytearray(path.read_bytes() or b"\0")  # of an empty file: a byte where none was
    generator = np.random.default_rng(seed)
    for place in generator.integers(0, len(content), 1 + len(content) // 400):
        content[place] ^= 1 << generator.integers(8)
    path.write_bytes(content)


def emptied(path: pathlib.Path, size: int = 0) -> None:
    """Cut a file to nothing, and make it as long as `size` without any content."""
    path.write_bytes(b"")
    os.truncate(path, size)


def in_its_place(make: Callable[[pathlib.Path], object]) -> Damage:
    """Return what puts something else in the place of a file."""

    def damage(path: pathlib.Path) -> None:
        path.unlink()
        make(path)

    return damage


def object_array(path: pathlib.Path) -> None:
    """Write an array of objects."""
    with path.open("wb") as out:
        np.save(out, np.array([{}, None], object), allow_pickle=True)


def declared(path: pathlib.Path) -> None:
    """Write a header that declares 40 TB."""
    about: Any = {"descr": "<f8", "fortran_order": False, "shape": (5 << 40,)}
    with path.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, about)
        out.write(b"0" * 64)


def other_content(content: bytes) -> Damage:
    """Return what writes other content."""
    return lambda path: path.write_bytes(content)


DAMAGES: dict[str, Damage] = {
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut at its end": lambda path: os.truncate(path, max(0, path.stat().st_size - 3)),
    "empty": emptied,
    "a terabyte of zeros": lambda path: emptied(path, 1 << 40),
    "a folder": in_its_place(os.mkdir),
    "a loop": in_its_place(lambda path: os.symlink(path, path)),
    "a pipe": in_its_place(os.mkfifo),
    "deeply nested": other_content(b"[" * 200_000),
    "a list": other_content(b"[]"),
    "null": other_content(b"null\n"),
    "numbers": other_content(b'{"done": 1, "schema": [], "ap": 1e999, "format": 3}'),
    "not UTF-8": other_content(b"\xff\xfe\x00{}" * 9),
    "objects": object_array,
    "two dimensions": lambda path: np.save(path.open("wb"), np.zeros((2, 3))),
    "declared": declared,
    **{f"flipped {n}": lambda path, n=n: flipped(path, n) for n in range(6)},
}


def restored(path: pathlib.Path, kept: pathlib.Path) -> None:
    """Put a file back, whatever stands in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, path)


def each_damage(
    path: pathlib.Path, kept: pathlib.Path, damages: Collection[str] = ()
) -> Iterator[str]:
    """Damage a file in every way, one after the other, and put it back at the end.

    Args:
      path: the file.
      kept: place for a copy of it.
      damages: names of the damages; empty is all.
    """
    shutil.copyfile(path, kept)
    for name, harm in DAMAGES.items():
        if not damages or name in damages:
            restored(path, kept)
            harm(path)
            yield name
    restored(path, kept)


def problem_with(name: str, damage: str, read: Read, must_be_refused: bool = False) -> str | None:
    """Return what is wrong with how a damaged file is read, or None.

    Args:
      name: the file, whose own name a refusal has to have.
      damage: what was done to it.
      read: reads it.
      must_be_refused: whether it is wrong to read it at all; bits that are flipped and an array of
        another form may pass.
    """
    try:
        read()
    except Exception as error:
        line = explanation(error)
        if line is None:
            return f"{name}, {damage}: {type(error).__name__}: {error}"
        if os.path.basename(name) not in line or "\n" in line:
            return f"{name}, {damage}: {line}"
    else:
        if must_be_refused and not damage.startswith(("flipped", "two")):
            return f"{name}, {damage}: not refused"
    return None


def sweep(
    folder: pathlib.Path,
    readers: Mapping[str, Read],
    kept: pathlib.Path,
    must_be_refused: Collection[str] = (),
) -> str:
    """Return a line for each damage of each file that is not read rightly, or "".

    Args:
      folder: where the files are.
      readers: name of a file in it -> what reads it.
      kept: place for a copy of one.
      must_be_refused: names of those that cannot be done without.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problems = []
    for name, read in readers.items():
        for damage in each_damage(folder / name, kept):
            problems.append(problem_with(name, damage, read, name in must_be_refused))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > 600_000:  # kB
        problems.append(f"the memory has grown by {grown:,} kB")
    return "\n".join(filter(None, problems))
