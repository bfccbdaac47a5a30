"""The networks from pictures or spectra to vectors: a function of the user's, or a frozen graph."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError

Encoder = Callable[[NDArray[Any]], NDArray[Any]]
# Of the graph of 2015-12-05; docs/sources.md#features-of-videos.
_INPUT, _OUTPUT = "DecodeJpeg:0", "pool_3/_reshape:0"


def load_encoder(address: str, flag: str) -> Encoder:
    """Return the function of `module:function`; modules of the current folder are found too.

    Args:
      address: as the flag gives it.
      flag: for messages.

    Raises:
      UserError: there is no such module or function.
    """
    module, _, name = address.partition(":")
    if not name:
        raise UserError(f"{flag}={address}: expected MODULE:FUNCTION, such as my_clip:encode.")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function: Encoder = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{flag}={address} cannot be imported ({error}).") from None
    return function


def load_inception(path: str, flag: str = "--inception") -> Encoder:
    """Return the function from pictures [n, H, W, 3] to the pooled features [n, 2048] of a graph.

    Args:
      path: classify_image_graph_def.pb, the frozen Inception-v3 of 2015-12-05.
      flag: for messages.

    Raises:
      UserError: the file cannot be read, or is another graph.
    """
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    try:
        with tf.io.gfile.GFile(path, "rb") as source:
            graph.ParseFromString(source.read())
        whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
        run = whole.prune(_INPUT, _OUTPUT)
    except Exception as error:  # protobuf's own error has moved between its versions
        raise UserError(
            f"{flag}={path} is not the frozen graph with {_INPUT} and {_OUTPUT} ({error})."
        ) from None

    def encode(pictures: NDArray[Any]) -> NDArray[Any]:
        rows = [run(tf.constant(picture)).numpy().ravel() for picture in pictures]
        return np.stack(rows)

    return encode
