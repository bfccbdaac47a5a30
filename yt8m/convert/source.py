"""What every kind of input offers: its videos with their labels, and the features of some."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Arrays by name: frames [n, D], or values of the whole video [D]. Bytes stay uint8, as in the
# releases, and all other numbers are float32.
Features = dict[str, np.ndarray]


class Item(NamedTuple):
    """A video of the input.

    Attributes:
      id: its id.
      labels: names or numbers of its classes as text, or None if the input does not say.
    """

    id: str
    labels: tuple[str, ...] | None = None


class Unusable(Exception):
    """The features of a video cannot be used; the message says why."""


class Source(abc.ABC):
    """The videos of some files.

    Attributes:
      class_names: names of the classes by number, if the files say them.
    """

    class_names: Sequence[str] = ()

    @abc.abstractmethod
    def items(self) -> Iterator[Item]:
        """Yield the videos in their order, without reading their features where possible."""

    @abc.abstractmethod
    def read(self, wanted: Sequence[int]) -> Iterator[Features | Unusable]:
        """Yield the features of the videos with these ascending places among the items."""

    def remarks(self) -> list[str]:
        """Return what is to be said of the videos read since the last call, as lines."""
        return []


def refuse_not_finite(name: str, values: np.ndarray) -> None:
    """Refuse values that are NaN or infinite.

    Raises:
      Unusable: it says how many there are.
    """
    wrong = values.size - int(np.isfinite(values).sum())
    if wrong:
        raise Unusable(f"{wrong} of the {values.size} values of {name} are NaN or infinite")


def as_numbers(values: object, name: str) -> np.ndarray:
    """Return an array as float32, or bytes as uint8.

    Raises:
      Unusable: it does not contain numbers, or not those of one video.
    """
    array = np.asarray(values)
    if array.dtype == np.uint8:
        found = array
    elif array.dtype.kind in "fiub":
        found = array.astype(np.float32)
    else:
        raise Unusable(f"{name} contains {array.dtype}, not numbers")
    if found.ndim not in (1, 2) or not found.size:
        raise Unusable(f"{name} has the shape {array.shape}, not [frames, features] or [features]")
    return found


def gone(path: str, what: str) -> str:
    """Return the message about an input that ends earlier than when it was listed.

    Args:
      path: the file.
      what: "rows" or "records".
    """
    return (
        f"--input={path} has fewer {what} than when it was listed: it was changed meanwhile, or its"
        " own index is wrong; write the file again."
    )
