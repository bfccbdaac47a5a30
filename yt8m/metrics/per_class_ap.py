"""The per-class AP file that an evaluation leaves for analysis and for fusion weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError


class PerClassAp(NamedTuple):
    """AP of every class on one set of videos: `ap` float64 [K], `positives` int64 [K], `names` [K] or None."""

    ap: NDArray[Any]
    positives: NDArray[Any]
    names: list[str] | None = None


def write_per_class_ap(
    path: str, ap: NDArray[Any], positives: NDArray[Any], names: Sequence[str] | None = None
) -> None:
    """Write `{"num_classes", "ap", "positives", "names"?}` as JSON; the file appears whole or not at all."""
    import tensorflow as tf  # here, so that the format can be read without starting TensorFlow first

    ap, positives = np.asarray(ap, np.float64), np.asarray(positives, np.int64)
    if ap.shape != positives.shape or ap.ndim != 1 or (names is not None and len(names) != len(ap)):
        raise ValueError(
            f"ap, positives (and names) are lists of one length, not {ap.shape} and {positives.shape}"
        )
    content = {"num_classes": len(ap), "ap": ap.tolist(), "positives": positives.tolist()}
    if names is not None:
        content["names"] = list(names)
    with tf.io.gfile.GFile(path + ".tmp", "w") as out:
        out.write(json.dumps(content))
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def read_per_class_ap(path: str) -> PerClassAp:
    """Read a file of `write_per_class_ap`, or an `.npz` with the arrays `ap` and `positives`.

    Raises:
      UserError: no such file, or it holds something else.
    """
    import tensorflow as tf

    try:
        if path.endswith(".npz"):
            with tf.io.gfile.GFile(path, "rb") as source:
                import io

                content = dict(np.load(io.BytesIO(source.read())))
        else:
            with tf.io.gfile.GFile(path, "r") as source:
                content = json.loads(source.read())
        ap = np.asarray(content["ap"], np.float64)
        positives = np.asarray(content["positives"], np.int64)
    except tf.errors.OpError as error:
        raise UserError(
            f"cannot read the per-class AP file {path!r}: {error.message}. eval.py writes one."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path!r} is not a per-class AP file ({error!r}); expected JSON with lists 'ap' and 'positives',"
            " as eval.py writes."
        ) from None
    if ap.ndim != 1 or ap.shape != positives.shape:
        raise UserError(
            f"{path!r}: 'ap' and 'positives' differ in shape: {ap.shape} and {positives.shape}."
        )
    names = content.get("names")
    return PerClassAp(ap, positives, None if names is None else [str(n) for n in names])
