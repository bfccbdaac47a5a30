"""The order of the steps and the stopping rules, as functions of GAPs alone."""

import dataclasses

import pytest

from yt8m.largescale.alternating.plan import Step, best_index, is_over, take_steps
from yt8m.runs.settings.alternation import AlternationConfig

FULL = AlternationConfig()


def walk(config, gaps):
    """Return the names of all steps, each ending with the next of `gaps`."""
    names, left = [], list(gaps)

    def once(step):
        names.append(step.name)
        return left.pop(0)

    take_steps(config, once)
    return names


@pytest.mark.parametrize(
    ("variant", "names"),
    [
        ("baseline", ["step1"]),
        ("rprop", ["step1", "cycle1_step3"]),
        ("large_moe", ["step1", "cycle1_step2"]),
    ],
)
def test_the_short_variants_are_fixed(variant, names):
    assert walk(dataclasses.replace(FULL, alternation=variant), [0.5, 0.1]) == names


def test_full_alternates_until_a_cycle_gains_too_little():
    two = ["step1", "cycle1_step2", "cycle1_step3", "cycle2_step2", "cycle2_step3"]
    assert walk(FULL, [0.80, 0.81, 0.82, 0.82, 0.8204]) == two  # the second cycle gained 4e-4
    assert walk(FULL, [0.80, 0.79, 0.8004]) == two[:3]
    assert walk(FULL, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]) == [*two, "cycle3_step2", "cycle3_step3"]
    assert walk(dataclasses.replace(FULL, max_cycles=1), [0.1, 0.2, 0.3]) == two[:3]
    assert walk(dataclasses.replace(FULL, max_cycles=0), [0.1]) == ["step1"]
    # The gain is over the cycle before, not over a step 2 that fell.
    assert walk(FULL, [0.80, 0.70, 0.8003]) == two[:3]


def test_a_step_ends_by_patience_or_at_its_limit():
    assert not is_over([0.5], patience=2, limit=3)
    assert not is_over([0.5, 0.4], patience=2, limit=3)
    assert is_over([0.5, 0.4, 0.5], patience=2, limit=3)  # equal is no gain
    assert not is_over([0.5, 0.4, 0.6], patience=2, limit=3)
    assert is_over([0.5, 0.6, 0.7, 0.8], patience=2, limit=3)
    assert not is_over([0.5, 0.4, 0.3], patience=0, limit=3)
    assert is_over(
        [0.5, 0.50005, 0.5001], patience=2, limit=9, min_gain=1e-4
    )  # creeping counts for nothing
    assert best_index([0.5, 0.7, 0.7, 0.6]) == 1


def test_names_tell_step_and_cycle():
    assert [s.name for s in (Step(1, 0), Step(2, 1), Step(3, 2))] == [
        "step1",
        "cycle1_step2",
        "cycle2_step3",
    ]
