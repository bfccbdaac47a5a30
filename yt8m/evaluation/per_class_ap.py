"""The file of per-class AP that an evaluation writes, for analyses and fusion weights."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yt8m.errors import UserError
from yt8m.files import read_json, write_text
from yt8m.process.guard import reason


class PerClassAp(NamedTuple):
    """AP float64 [K], positives int64 [K] and names [K] of the classes of a set of videos."""

    ap: NDArray[Any]
    positives: NDArray[Any]
    names: list[str] | None = None


def write_per_class_ap(
    path: str, ap: ArrayLike, positives: ArrayLike, names: Sequence[str] | None = None
) -> None:
    """Write a JSON file with "num_classes", "ap", "positives" and, where given, "names".

    The file appears only when it is complete.

    Args:
      path: local or remote.
      ap: float [K].
      positives: int [K].
      names: K names of classes.

    Raises:
      ValueError: the lengths differ.
    """
    ap, positives = np.asarray(ap, np.float64), np.asarray(positives, np.int64)
    lengths = {ap.shape, positives.shape, ap.shape if names is None else (len(names),)}
    if ap.ndim != 1 or len(lengths) > 1:
        raise ValueError(f"ap, positives and names must have the same length, not {lengths}")
    content = {"num_classes": len(ap), "ap": ap.tolist(), "positives": positives.tolist()}
    if names is not None:
        content["names"] = list(names)
    write_text(path, json.dumps(content))


def read_per_class_ap(path: str) -> PerClassAp:
    """Read a file that `write_per_class_ap` wrote, or an `.npz` with arrays `ap` and `positives`.

    Raises:
      UserError: the file cannot be read, or has other content.
    """
    import tensorflow as tf  # here, because importing it takes seconds

    try:
        content = _read_npz(path) if path.endswith(".npz") else read_json(path)
        ap = np.asarray(content["ap"], np.float64)
        positives = np.asarray(content["positives"], np.int64)
        names = None if content.get("names") is None else list(map(str, content["names"]))
    except tf.errors.OpError as error:
        raise UserError(
            f"cannot read the per-class AP file {path!r}: {reason(error)}. eval.py writes one."
        ) from None
    except Exception as error:  # Damaged content can raise almost any class.
        raise UserError(
            f"{path!r} is not a per-class AP file ({error!r}); expected JSON with lists 'ap' and"
            " 'positives', as eval.py writes."
        ) from None
    if ap.ndim != 1 or ap.shape != positives.shape:
        raise UserError(
            f"{path!r}: 'ap' and 'positives' differ in shape: {ap.shape} and {positives.shape}."
        )
    return PerClassAp(ap, positives, names)


def _read_npz(path: str) -> dict[str, Any]:
    import tensorflow as tf

    with tf.io.gfile.GFile(path, "rb") as source:
        return dict(np.load(io.BytesIO(source.read())))
