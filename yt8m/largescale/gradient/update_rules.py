"""Full-batch update rules: iRProp+, which the KDD 2019 paper uses, and plain descent.

Both take the loss and the gradient of the whole batch at the current weights and return the next
weights. Give them means over the examples (of the loss and of its gradient). iRProp+ uses only the
gradient's signs, but with means its loss test and the learning rate of plain descent do not depend
on the amount of data.

    rule = IRPropPlus()
    weights = rule.update(weights, gradients, loss)      # lists of arrays, one for each variable
    saved = rule.state()                                 # arrays by name, for numpy.savez
    rule.restore(saved)                                  # continues exactly as without the restart
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Arrays = list[np.ndarray]


class IRPropPlus:
    """iRProp+ (Igel and Hüsken 2003; KDD 2019, Algorithm 1; docs/sources.md#irprop).

    Each weight has a step size of its own, which only the signs of its gradients change. A step
    grows while the gradient keeps its sign and shrinks when the sign changes. If the sign changed
    and the loss rose, the weight's last change is undone.

    Args:
      initial_step: Δ₀, the paper's "global learning rate" of 1e-5.
      grow: η⁺, above 1.
      shrink: η⁻, between 0 and 1.
      max_step: Δ_max.
      min_step: Δ_min. With 0 a float32 step becomes 0 after some 110 halvings; 1e-12 prevents that.
      loss_test: whether a change is undone only if the loss rose. False never undoes a change: give
        it for batches that are a new fraction of the data each time, whose losses cannot be
        compared (docs/sources.md#batch-fractions).
      tolerance: by how much, relative to it, the loss must exceed the last one to count as risen.
        The last digits of a sum depend on threads and machines; 0 is the published algorithm.

    Raises:
      ValueError: an argument is out of range.
    """

    def __init__(
        self,
        initial_step: float = 1e-5,
        grow: float = 1.2,
        shrink: float = 0.5,
        max_step: float = 10.0,
        min_step: float = 0.0,
        loss_test: bool = True,
        tolerance: float = 0.0,
    ):
        factors_fit = grow > 1.0 > shrink > 0.0
        steps_fit = 0.0 <= min_step <= initial_step <= max_step
        if not (factors_fit and steps_fit and tolerance >= 0.0):
            raise ValueError(
                "iRProp+ needs grow > 1 > shrink > 0, min_step <= initial_step <= max_step and"
                " tolerance >= 0"
            )
        self.initial_step, self.grow, self.shrink = initial_step, grow, shrink
        self.max_step, self.min_step = max_step, min_step
        self.loss_test, self.tolerance = loss_test, tolerance
        self.iterations = 0
        self.last_loss = math.inf  # E⁻
        self.steps: Arrays = []  # Δ
        self.changes: Arrays = []  # δw
        self.signs: Arrays = []  # sign of g⁻, int8: the rule needs no more of the last gradient
        self._summary = {"grown": 0.0, "shrunk": 0.0, "undone": 0.0, "mean_step": initial_step}

    def update(
        self, weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray], loss: float
    ) -> Arrays:
        """Return the next weights, in the weights' dtypes.

        Args:
          weights: the current values.
          gradients: the gradients of the batch's loss at `weights`, in the same order and shapes,
            on any positive scale.
          loss: the batch's loss at `weights`, on the same scale in every call.

        Raises:
          ValueError: shapes differ from those of the last call, or a number is not finite. Nothing
            is changed in either case.
        """
        if not self.steps:
            self.steps = [np.full(w.shape, self.initial_step, w.dtype) for w in weights]
            self.changes = [np.zeros(w.shape, w.dtype) for w in weights]
            self.signs = [np.zeros(w.shape, np.int8) for w in weights]
        _check(weights, gradients, self.steps, loss)
        margin = self.tolerance * abs(self.last_loss) if math.isfinite(self.last_loss) else 0.0
        undo = self.loss_test and loss > self.last_loss + margin
        grown = shrunk = 0
        new: Arrays = []
        for i, (weight, gradient) in enumerate(zip(weights, gradients)):
            step, change = self.steps[i], self.changes[i]
            sign = np.sign(gradient).astype(np.int8)
            # A product of signs: that of tiny gradients would underflow to 0.
            agreement = sign * self.signs[i]
            up, down = agreement > 0, agreement < 0
            as_step = step.dtype.type
            np.copyto(step, np.minimum(step * as_step(self.grow), as_step(self.max_step)), where=up)
            shrunk_step = np.maximum(step * as_step(self.shrink), as_step(self.min_step))
            np.copyto(step, shrunk_step, where=down)
            move = -sign * step
            new.append(np.where(down, weight - change if undo else weight, weight + move))
            np.copyto(change, move, where=~down)
            self.signs[i] = np.where(down, 0, sign).astype(np.int8)
            grown, shrunk = grown + int(up.sum()), shrunk + int(down.sum())
        self.iterations += 1
        self.last_loss = float(loss)
        count = max(1, sum(s.size for s in self.steps))
        self._summary = {
            "grown": grown / count,
            "shrunk": shrunk / count,
            "undone": (shrunk if undo else 0) / count,
            "mean_step": sum(float(s.sum(dtype=np.float64)) for s in self.steps) / count,
        }
        return new

    def state(self) -> dict[str, np.ndarray]:
        """Return Δ, δw, the signs and E⁻ as copies."""
        saved = {"iterations": np.asarray(self.iterations), "last_loss": np.asarray(self.last_loss)}
        for name in ("steps", "changes", "signs"):
            saved.update({f"{name}.{i}": a.copy() for i, a in enumerate(getattr(self, name))})
        return saved

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from what `state` returned; the constructor's arguments stay."""
        self.iterations, self.last_loss = int(state["iterations"]), float(state["last_loss"])
        for name in ("steps", "changes", "signs"):
            count = sum(key.startswith(name + ".") for key in state)
            setattr(self, name, [np.array(state[f"{name}.{i}"]) for i in range(count)])

    def summary(self) -> dict[str, float]:
        """Return the shares of weights whose step grew, shrank or was undone, and the mean step."""
        return dict(self._summary)


class GradientDescent:
    """w ← w − learning_rate · g, the plain full-batch rule for comparison with iRProp+.

    Args:
      learning_rate: for gradients that are means over the examples.
    """

    def __init__(self, learning_rate: float = 0.1):
        self.learning_rate = learning_rate
        self.iterations = 0
        self._norm = 0.0

    def update(
        self, weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray], loss: float
    ) -> Arrays:
        """Return the next weights, in the weights' dtypes; see `IRPropPlus.update`."""
        _check(weights, gradients, weights, loss)
        new = [w + (-self.learning_rate * g).astype(w.dtype) for w, g in zip(weights, gradients)]
        self.iterations += 1
        squares = sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients)
        self._norm = math.sqrt(squares)
        return new

    def state(self) -> dict[str, np.ndarray]:
        """Return the number of updates, which is all the state that the rule has."""
        return {"iterations": np.asarray(self.iterations)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from what `state` returned; other arrays of older versions are ignored."""
        self.iterations = int(state["iterations"])

    def summary(self) -> dict[str, float]:
        """Return the gradient's norm."""
        return {"gradient_norm": self._norm}


def _check(
    weights: Sequence[Any], gradients: Sequence[Any], kept: Sequence[Any], loss: float
) -> None:
    shapes = [[a.shape for a in arrays] for arrays in (weights, gradients, kept)]
    if shapes[0] != shapes[1] or shapes[0] != shapes[2]:
        raise ValueError(f"weights, gradients and the rule's state differ in shape: {shapes}")
    if not math.isfinite(loss) or not all(np.isfinite(g).all() for g in gradients):
        raise ValueError("the loss or its gradient is not finite; no weight was changed")
