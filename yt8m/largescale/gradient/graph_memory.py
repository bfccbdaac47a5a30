"""The most memory that the tensors of a traced function take at once, read off its graph.

The operations are taken in the order in which one thread of TensorFlow's executor takes them. A
tensor lives from the operation that makes it to the last one that reads it: the values that the
forward pass keeps for the backward pass are thus counted while they are kept, for any model.
Operations that only view a tensor take no memory, and one that treats elements alone writes over an
input that nobody else reads, as TensorFlow's kernels do. Arguments, variables and what happens
within an operation are not counted.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence

import tensorflow as tf

_VIEWS = {
    *("Identity", "IdentityN", "StopGradient", "PreventGradient", "Snapshot", "Reshape"),
    *("ExpandDims", "Squeeze", "CheckNumerics", "EnsureShape"),
}
_GIVEN = {"Placeholder", "Const", "VarHandleOp", "ReadVariableOp", "Shape", "Size", "Rank"}
_IN_PLACE = {
    *("Add", "AddV2", "AddN", "Sub", "Mul", "RealDiv", "DivNoNan", "Maximum", "Minimum", "Pow"),
    *("BiasAdd", "SquaredDifference", "Select", "SelectV2", "ClipByValue", "Cast", "Abs", "Sign"),
    *("Relu", "Relu6", "Sigmoid", "Tanh", "Softmax", "Softplus", "Exp", "Log", "Log1p", "Neg"),
    *("Square", "Sqrt", "Rsqrt", "Reciprocal", "Inv", "ReluGrad", "SigmoidGrad", "TanhGrad"),
    *("SqrtGrad", "RsqrtGrad", "ReciprocalGrad", "InvGrad", "SoftplusGrad"),
}

_LONG = 1 << 16  # bytes read and written by an operation that takes more than some microseconds


def peak_bytes(outputs: Sequence[tf.Tensor]) -> int:
    """Return the most bytes that are alive at once while a graph computes `outputs`.

    Args:
      outputs: tensors of one graph, which all live to its end.

    Raises:
      ValueError: a tensor's shape is not known.
    """
    return _Simulation(outputs).run()


class _Simulation:
    def __init__(self, outputs: Sequence[tf.Tensor]):
        self._order = _executed(outputs)
        self._readers = collections.Counter(t.ref() for op in self._order for t in op.inputs)
        self._readers.update(t.ref() for t in outputs)  # the caller reads them after the end
        self._buffer: dict[object, int] = {}  # a tensor -> its buffer
        self._bytes: list[int] = []
        self._uses: list[int] = []
        self._alive = 0

    def run(self) -> int:
        peak = 0
        for op in self._order:
            read = [self._buffer[t.ref()] for t in op.inputs]
            for i, tensor in enumerate(op.outputs):
                self._buffer[tensor.ref()] = self._taken(op, i, tensor, read)
            peak = max(peak, self._alive)
            for buffer in [*read, *(self._buffer[t.ref()] for t in op.outputs)]:
                self._uses[buffer] -= 1
                if not self._uses[buffer]:
                    self._alive -= self._bytes[buffer]
        return peak

    def _taken(self, op: tf.Operation, i: int, tensor: tf.Tensor, read: list[int]) -> int:
        """Return the buffer of an output, with a use for it until the operation ends."""
        size = 0 if op.type in _GIVEN else _size(tensor)
        if op.type in _VIEWS:
            buffer = read[i]
        else:
            idle = (b for b in read if self._uses[b] == read.count(b) and self._bytes[b] == size)
            buffer = next(idle, -1) if op.type in _IN_PLACE else -1
        if buffer < 0:
            buffer = len(self._bytes)
            self._bytes.append(size)
            self._uses.append(0)
            self._alive += size
        self._uses[buffer] += self._readers[tensor.ref()] + 1
        return buffer


def _executed(outputs: Sequence[tf.Tensor]) -> list[tf.Operation]:
    """Return the operations that the outputs need, in the order in which one thread takes them.

    The thread goes on with one of the long operations that become ready together, and stacks the
    others; those that take no time it does at once. So it follows the forward pass first, and
    computes what the backward pass alone reads when it comes to that.
    """
    missing, after = _dependencies(outputs)
    order: list[tf.Operation] = []
    stack: list[tf.Operation] = []
    at_once = collections.deque(op for op, count in missing.items() if not count)
    while at_once or stack:
        if not at_once:
            at_once.append(stack.pop())
        op, chosen = at_once.popleft(), None
        order.append(op)
        for follower in after[op]:
            missing[follower] -= 1
            if missing[follower]:
                continue
            if not _is_long(follower):
                at_once.append(follower)
                continue
            if chosen is not None:
                stack.append(chosen)
            chosen = follower
        if chosen is not None:
            (stack if at_once else at_once).append(chosen)
    return order


def _dependencies(
    outputs: Sequence[tf.Tensor],
) -> tuple[dict[tf.Operation, int], dict[tf.Operation, list[tf.Operation]]]:
    """Return how many operations each needed one waits for, and its followers, the latest first."""
    needed: set[tf.Operation] = set()
    found = [t.op for t in outputs]
    while found:
        op = found.pop()
        if op not in needed:
            needed.add(op)
            found += [*(t.op for t in op.inputs), *op.control_inputs]
    missing = {}
    after: dict[tf.Operation, list[tf.Operation]] = collections.defaultdict(list)
    for op in outputs[0].graph.get_operations():
        if op in needed:
            before = {*(t.op for t in op.inputs), *op.control_inputs}
            missing[op] = len(before)
            for other in before:
                after[other].insert(0, op)
    return missing, after


def _is_long(op: tf.Operation) -> bool:
    if op.type in _VIEWS or op.type in _GIVEN:
        return False
    return sum(map(_size, (*op.inputs, *op.outputs))) >= _LONG


def _size(tensor: tf.Tensor) -> int:
    if tensor.dtype in (tf.resource, tf.variant, tf.string):
        return 0
    count = tensor.shape.num_elements()
    if count is None:
        raise ValueError(
            f"{tensor.op.name} ({tensor.op.type}) has the unknown shape {tensor.shape}"
        )
    return int(count) * tensor.dtype.size
