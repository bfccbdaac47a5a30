"""iRProp+ against a golden trajectory, the published algorithm for one weight, and a restart."""

import numpy as np
import pytest

from yt8m.largescale.gradient.update_rules import GradientDescent, IRPropPlus

# E = w1² + 10 w2², from (1, -0.25), Δ₀ = 0.1. E before the step; weights and Δ after.
GOLDEN = [
    (1.625, 0.9, -0.15, 0.1, 0.1),
    (1.035, 0.78, -0.03, 0.12, 0.12),
    (0.6174, 0.636, 0.114, 0.144, 0.144),
    (0.534456, 0.4632, 0.114, 0.1728, 0.072),
    (0.34451424, 0.25584, 0.042, 0.20736, 0.072),
    (0.083094106, 0.007008, -0.0444, 0.248832, 0.0864),
    (0.019762712, -0.2915904, -0.0444, 0.2985984, 0.0432),
    (0.104738561, 0.007008, -0.0012, 0.1492992, 0.0432),
    (0.000063512, -0.1422912, 0.05064, 0.1492992, 0.05184),
    (0.045890882, 0.007008, -0.0012, 0.0746496, 0.02592),
]
CURVATURE = np.array([1.0, 10.0])


def loss_of(w):
    return float(np.sum(CURVATURE * w.astype(np.float64) ** 2))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_golden_trajectory(dtype, tolerance):
    rule = IRPropPlus(initial_step=0.1)
    w1, w2 = np.array([1.0], dtype), np.array([[-0.25]], dtype)  # two variables, of two shapes
    for error, w1_after, w2_after, step1, step2 in GOLDEN:
        w = np.array([w1[0], w2[0, 0]])
        g = 2 * CURVATURE * w
        assert loss_of(w) == pytest.approx(error, abs=5e-10 if dtype == np.float64 else 1e-6)
        w1, w2 = rule.update([w1, w2], [g[:1], g[1:].reshape(1, 1)], loss_of(w))
        assert w1.dtype == w2.dtype == dtype
        np.testing.assert_allclose([w1[0], w2[0, 0]], [w1_after, w2_after], rtol=0, atol=tolerance)
        np.testing.assert_allclose(
            [rule.steps[0][0], rule.steps[1][0, 0]], [step1, step2], rtol=0, atol=tolerance
        )


def one_weight(weights, gradients, losses_at, **numbers):
    """Yield a single weight after each step of Algorithm 1 as published."""
    step, change, last_g, last_loss, w = numbers["initial_step"], 0.0, 0.0, np.inf, weights
    for g, loss in zip(gradients, losses_at):
        if g * last_g > 0:
            step = min(1.2 * step, numbers["max_step"])
            change = -np.sign(g) * step
            w, last_g = w + change, g
        elif g * last_g < 0:
            step = max(0.5 * step, numbers["min_step"])
            if loss > last_loss:
                w = w - change
            last_g = 0.0
        else:
            change = -np.sign(g) * step
            w, last_g = w + change, g
        last_loss = loss
        yield w


def test_random_signs_against_the_algorithm_a_weight_at_a_time():
    rng = np.random.default_rng(0)
    gradients = rng.integers(-1, 2, (60, 40)) * rng.random((60, 40))  # with zeros among them
    losses = rng.random(60)
    numbers = {"initial_step": 0.05, "max_step": 0.2, "min_step": 0.02}
    expected = np.array(
        [list(one_weight(0.5, gradients[:, i], losses, **numbers)) for i in range(40)]
    ).T
    rule, w = IRPropPlus(**numbers), np.full(40, 0.5)
    for t in range(60):
        (w,) = rule.update([w], [gradients[t]], losses[t])
        np.testing.assert_allclose(w, expected[t], atol=1e-12)


@pytest.mark.parametrize("make", [lambda: IRPropPlus(0.1), lambda: GradientDescent(0.02)])
def test_a_restored_rule_goes_on_exactly(make, tmp_path):
    def run(rule, w, steps):
        for _ in range(steps):
            (w,) = rule.update([w], [2 * CURVATURE.astype(np.float32) * w], loss_of(w))
        return w

    start = np.array([1.0, -0.25], np.float32)
    whole = run(make(), start, 9)
    first, rest = make(), make()
    half = run(first, start, 4)
    np.savez(tmp_path / "rule.npz", **first.state())
    with np.load(tmp_path / "rule.npz") as saved:
        rest.restore(dict(saved))
    np.testing.assert_array_equal(run(rest, half, 5), whole)
    assert rest.iterations == 9


def test_the_loss_test_has_a_tolerance_and_can_be_left_out():
    def after_sign_change(rise, **options):
        rule = IRPropPlus(initial_step=0.1, **options)
        (w,) = rule.update([np.array([1.0])], [np.array([1.0])], 2.0)
        (w,) = rule.update([w], [np.array([-1.0])], 2.0 * (1 + rise))
        return w[0], rule.summary()["undone"]

    assert after_sign_change(1e-7) == (1.0, 1.0)  # the published rule takes the change back
    assert after_sign_change(1e-7, tolerance=1e-6) == (0.9, 0.0)
    assert after_sign_change(1e-5, tolerance=1e-6) == (1.0, 1.0)
    assert after_sign_change(0.5, loss_test=False) == (0.9, 0.0)


def test_tiny_gradients_keep_their_signs():
    rule, w = IRPropPlus(initial_step=0.1), np.zeros(1, np.float32)
    for _ in range(2):  # their product is 0 in float32
        (w,) = rule.update([w], [np.full(1, 1e-30, np.float32)], 1.0)
    assert rule.steps[0][0] == pytest.approx(0.12)


def test_numbers_that_are_not_finite_change_nothing():
    rule, w = IRPropPlus(), np.ones(2)
    rule.update([w], [np.ones(2)], 1.0)
    before = rule.state()
    for gradient, loss in ((np.array([1.0, np.nan]), 1.0), (np.ones(2), float("nan"))):
        with pytest.raises(ValueError, match="not finite"):
            rule.update([w], [gradient], loss)
    for name, value in rule.state().items():
        np.testing.assert_array_equal(value, before[name])
    with pytest.raises(ValueError, match="differ in shape"):
        rule.update([np.ones(3)], [np.ones(3)], 1.0)


def test_gradient_descent_follows_its_formula():
    rule = GradientDescent(0.1)
    (w,) = rule.update([np.array([1.0, 2.0], np.float32)], [np.array([1.0, -1.0])], 0.0)
    np.testing.assert_allclose(w, [0.9, 2.1], rtol=1e-6)
    assert w.dtype == np.float32


def test_gradient_descent_restores_the_state_of_older_versions():
    rule = GradientDescent(0.1)
    rule.restore({"iterations": np.asarray(3), "velocity.0": np.ones(2)})
    assert rule.iterations == 3
