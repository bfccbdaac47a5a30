"""Full-batch update rules: iRProp+, which the KDD 2019 paper trains the frame aggregator with, and plain descent.

Both take the error and the gradient of the whole batch at the current weights, and return the next weights. Give
them means over the examples (of the loss and of its gradient): iRProp+ uses signs only, but its error test and
plain descent's learning rate are then the same for any amount of data.

    rule = IRPropPlus()
    weights = rule.update(weights, gradients, loss)      # lists of arrays, one for each variable
    saved = rule.state()                                 # arrays by name, for numpy.savez
    rule.restore(saved)                                  # goes on exactly as if it had never stopped
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Arrays = list[np.ndarray]


class UpdateRule(Protocol):
    """What the trainer's third step needs of an optimiser that sees the whole batch."""

    def update(
        self, weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray], loss: float
    ) -> Arrays:
        """Return the next weights, given the current ones and the batch's gradient and loss there."""

    def state(self) -> dict[str, np.ndarray]:
        """Return all that `restore` needs, as arrays by name."""

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take up where the rule stood that `state` came from."""

    def summary(self) -> dict[str, float]:
        """Return a few numbers about the last update, for the log."""


class IRPropPlus:
    """iRProp+ (Igel and Hüsken 2003; KDD 2019, Algorithm 1; spec D.7): a step size for each weight, by signs alone.

    A step grows while its gradient keeps its sign and shrinks when the sign changes; where it changed and the
    error also rose, the weight's last change is taken back.

    Args:
      initial_step: Δ₀, the paper's "global learning rate" (spec: 1e-5).
      grow, shrink: η⁺ and η⁻.
      max_step, min_step: Δ_max and Δ_min. With Δ_min = 0 a float32 step reaches 0 after some 110 halvings; 1e-12
        keeps it alive.
      loss_test: False leaves out the test of the error, for batches that are a fresh fraction of the data each
        time: their errors cannot be compared (trap E-28). A change of sign then never takes back a change.
      tolerance: by how much, relative to it, the error has to exceed the last one to count as risen. The last
        digits of a sum depend on threads and machines; 0 is the algorithm as published.
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
        if not (
            grow > 1.0 > shrink > 0.0
            and 0.0 <= min_step <= initial_step <= max_step
            and tolerance >= 0.0
        ):
            raise ValueError(
                "iRProp+ wants grow > 1 > shrink > 0, min_step <= initial_step <= max_step, tolerance >= 0"
            )
        self.initial_step, self.grow, self.shrink = initial_step, grow, shrink
        self.max_step, self.min_step = max_step, min_step
        self.loss_test, self.tolerance = loss_test, tolerance
        self.iterations = 0
        self.last_loss = math.inf  # E⁻
        self.steps: Arrays = []  # Δ
        self.changes: Arrays = []  # δw
        self.signs: Arrays = []  # sign of g⁻, int8: all that the rule asks of it
        self._counts = {"grown": 0.0, "shrunk": 0.0, "undone": 0.0, "mean_step": initial_step}

    def update(
        self, weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray], loss: float
    ) -> Arrays:
        """Return the next weights, in the weights' dtypes.

        Args:
          weights: current values.
          gradients: of the batch's error at `weights`, in the same order and shapes; any positive scale.
          loss: the batch's error at `weights`, on one scale in every call.

        Raises:
          ValueError: shapes differ from the call before, or a number is not finite (nothing is changed then).
        """
        if not self.steps:
            self.steps = [np.full(w.shape, self.initial_step, w.dtype) for w in weights]
            self.changes = [np.zeros(w.shape, w.dtype) for w in weights]
            self.signs = [np.zeros(w.shape, np.int8) for w in weights]
        _check(weights, gradients, self.steps, loss)
        margin = self.tolerance * abs(self.last_loss) if math.isfinite(self.last_loss) else 0.0
        undo = self.loss_test and loss > self.last_loss + margin
        grown = shrunk = undone = 0
        new: Arrays = []
        for i, (w, g) in enumerate(zip(weights, gradients)):
            step, change = self.steps[i], self.changes[i]
            sign = np.sign(g).astype(np.int8)
            agree = (
                sign * self.signs[i]
            )  # the product of signs: that of tiny gradients would underflow to "no sign"
            up, down = agree > 0, agree < 0
            np.copyto(
                step,
                np.minimum(step * step.dtype.type(self.grow), step.dtype.type(self.max_step)),
                where=up,
            )
            np.copyto(
                step,
                np.maximum(step * step.dtype.type(self.shrink), step.dtype.type(self.min_step)),
                where=down,
            )
            moved = -sign * step
            new.append(np.where(down, w - change if undo else w, w + moved))
            np.copyto(change, moved, where=~down)
            self.signs[i] = np.where(down, 0, sign).astype(np.int8)
            grown, shrunk = grown + int(up.sum()), shrunk + int(down.sum())
            undone += int(down.sum()) if undo else 0
        self.iterations += 1
        self.last_loss = float(loss)
        total = max(1, sum(s.size for s in self.steps))
        mean_step = sum(float(s.sum(dtype=np.float64)) for s in self.steps) / total
        self._counts = {
            "grown": grown / total,
            "shrunk": shrunk / total,
            "undone": undone / total,
            "mean_step": mean_step,
        }
        return new

    def state(self) -> dict[str, np.ndarray]:
        """Return Δ, δw, the signs and E⁻ as copies."""
        saved = {"iterations": np.asarray(self.iterations), "last_loss": np.asarray(self.last_loss)}
        for name in ("steps", "changes", "signs"):
            saved.update({f"{name}.{i}": a.copy() for i, a in enumerate(getattr(self, name))})
        return saved

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take what `state` returned; the constructor's numbers stay."""
        self.iterations, self.last_loss = int(state["iterations"]), float(state["last_loss"])
        for name in ("steps", "changes", "signs"):
            count = sum(key.startswith(name + ".") for key in state)
            setattr(self, name, [np.array(state[f"{name}.{i}"]) for i in range(count)])

    def summary(self) -> dict[str, float]:
        """Return the shares of weights whose step grew, shrank or was undone, and the mean step."""
        return dict(self._counts)


class GradientDescent:
    """w ← w − learning_rate · g, the plain full-batch rule to compare iRProp+ with (spec D.7).

    Args:
      learning_rate: for gradients that are means over the examples.
      momentum: of the classical kind; 0 is none.
    """

    def __init__(self, learning_rate: float = 0.1, momentum: float = 0.0):
        self.learning_rate, self.momentum = learning_rate, momentum
        self.iterations = 0
        self.velocity: Arrays = []
        self._norm = 0.0

    def update(
        self, weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray], loss: float
    ) -> Arrays:
        """Return the next weights, in the weights' dtypes; see `IRPropPlus.update`."""
        if not self.velocity:
            self.velocity = [np.zeros(w.shape, w.dtype) for w in weights]
        _check(weights, gradients, self.velocity, loss)
        new: Arrays = []
        for i, (w, g) in enumerate(zip(weights, gradients)):
            self.velocity[i] = (self.momentum * self.velocity[i] - self.learning_rate * g).astype(
                w.dtype
            )
            new.append(w + self.velocity[i])
        self.iterations += 1
        self._norm = math.sqrt(
            sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients)
        )
        return new

    def state(self) -> dict[str, np.ndarray]:
        """Return the velocities as copies."""
        saved = {"iterations": np.asarray(self.iterations)}
        saved.update({f"velocity.{i}": v.copy() for i, v in enumerate(self.velocity)})
        return saved

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take what `state` returned."""
        self.iterations = int(state["iterations"])
        count = sum(key.startswith("velocity.") for key in state)
        self.velocity = [np.array(state[f"velocity.{i}"]) for i in range(count)]

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
