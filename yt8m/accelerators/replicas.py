"""A strategy under which one replica's program is traced, with the sums over all replicas in it.

TensorFlow shows the program of a function on one device only, so a `TPUStrategy` or a
`MirroredStrategy` shows none. Here one device stands for each of several replicas, and a reduction
is XLA's own operation over all of them, as in the program that a `TPUStrategy` compiles.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops
from tensorflow.python.distribute.one_device_strategy import OneDeviceExtended

_DEVICE = "/cpu:0"


def strategy_of(replicas: int) -> tf.distribute.Strategy:
    """Return the strategy under which a program of so many replicas is made."""
    return tf.distribute.OneDeviceStrategy(_DEVICE) if replicas == 1 else _Alike(replicas)


class _Alike(tf.distribute.Strategy):
    """Several replicas of which one is traced; nothing can be computed under it."""

    def __init__(self, replicas: int):
        super().__init__(_AlikeExtended(self, replicas))


class _AlikeExtended(OneDeviceExtended):
    def __init__(self, strategy: tf.distribute.Strategy, replicas: int):
        super().__init__(strategy, _DEVICE)
        self._replicas = replicas

    @property
    def _num_replicas_in_sync(self) -> int:
        return self._replicas

    def _reduce_to(self, reduce_op: Any, value: Any, destinations: Any, options: Any) -> Any:
        total = gen_xla_ops.xla_all_reduce(
            input=value,
            group_assignment=[list(range(self._replicas))],
            reduce_op="Add",
            mode="CrossReplica",
        )
        return total / self._replicas if reduce_op == tf.distribute.ReduceOp.MEAN else total
