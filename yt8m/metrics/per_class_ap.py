"""The per-class AP file that eval.py writes and fusion.py reads."""

from __future__ import annotations

import json
from typing import Tuple

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError

FILE = "per_class_ap.json"


def write(path: str, ap: np.ndarray, positives: np.ndarray) -> None:
    """Write average precisions [K] and numbers of positives [K], whole or not at all."""
    text = json.dumps({"ap": [round(float(a), 8) for a in ap], "positives": [int(p) for p in positives]})
    with tf.io.gfile.GFile(path + ".tmp", "w") as f:
        f.write(text + "\n")
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def read(path: str, flag: str = "--ap_files") -> Tuple[np.ndarray, np.ndarray]:
    """Return what `write` wrote.

    Raises:
      UserError: no such file, or something else.
    """
    try:
        with tf.io.gfile.GFile(path) as f:
            values = json.loads(f.read())
        return np.asarray(values["ap"], np.float64), np.asarray(values["positives"], np.int64)
    except (tf.errors.OpError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{flag}: {path} is not a per-class AP file ({error}); eval.py writes one, {FILE}, under train_dir/eval.")
