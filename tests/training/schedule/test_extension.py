"""Runs that are given another length: their rates by a NumPy reference, and what is recorded."""

import dataclasses
import math
import shutil

import numpy as np
import pytest

from tests.support.runs import begun, events, losses_of, run_config, stop_at
from yt8m.data.files.count import Count
from yt8m.errors import UserError
from yt8m.models.core.recipe import Recipe
from yt8m.runs import new_run
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import load_run
from yt8m.runs.settings.session import Session
from yt8m.training.schedule import extension
from yt8m.training.schedule.examples_schedule import ExamplesSchedule, make_schedule
from yt8m.training.trainer import Trainer, train

BASE, BATCH, DECAY, DECAY_EXAMPLES, WARMUP = 0.02, 10, 0.7, 130, 70


def shape(kind, examples, total):
    """Return the rate relative to the one at the beginning of a schedule."""
    if kind == "cosine":
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, examples / total))
    if kind == "constant":
        return 1.0
    power = examples / DECAY_EXAMPLES
    return DECAY ** (math.floor(power) if kind == "exponential" else power)


def extended_twice(kind, first, second, step):
    """Return the rate of a run of 40 steps that is given 100 after 40, and 130 after 60."""

    def after(how, start, at, before, steps):
        """Return (first rate or held rate, start of the schedule, its end, whether it holds)."""
        rate, began, _, holds = before
        if how == "stretch":
            return rate, began, steps, holds
        if how == "restart":
            return BASE, at, steps, False
        return max(rate_of(before, at), BASE / 10), at, steps, True

    def rate_of(phase, at):
        rate, began, steps, holds = phase
        return rate if holds else rate * shape(kind, (at - began) * BATCH, (steps - began) * BATCH)

    phases = [(BASE, 0, 40, False)]
    phases.append(after(first, 0, 40, phases[-1], 100))
    phases.append(after(second, 0, 60, phases[-1], 130))
    which = 0 if step < 40 else 1 if step < 60 else 2
    return rate_of(phases[which], step) * min(1.0, (step + 1) * BATCH / WARMUP)


@pytest.mark.parametrize("kind", ["cosine", "exponential", "exponential_continuous", "constant"])
@pytest.mark.parametrize("second", ["stretch", "restart", "constant"])
@pytest.mark.parametrize("first", ["stretch", "restart", "constant"])
def test_the_rates_of_a_run_that_is_extended_twice(first, second, kind):
    recipe = Recipe(
        base_learning_rate=BASE,
        schedule=kind,
        batch_size=BATCH,
        learning_rate_decay=DECAY,
        learning_rate_decay_examples=DECAY_EXAMPLES,
        warmup_examples=WARMUP,
    )
    phases = (extension.begun(recipe, 40),)
    phases = extension.extended(recipe, phases, 40, 100, first)
    phases = extension.extended(recipe, phases, 60, 130, second)
    schedule = make_schedule(recipe, 0, phases)
    steps = range(135)
    found = [float(schedule(step)) for step in steps]
    expected = [extended_twice(kind, first, second, step) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-8)
    again = ExamplesSchedule.from_config(schedule.get_config())
    assert float(again(77)) == found[77]


def test_a_stated_rate_begins_a_restart_and_is_held_by_a_constant():
    recipe = Recipe(base_learning_rate=BASE, batch_size=BATCH)
    phases = (extension.begun(recipe, 40),)
    restarted = make_schedule(recipe, 0, extension.extended(recipe, phases, 40, 80, "restart", 0.3))
    np.testing.assert_allclose([restarted(40), restarted(60)], [0.3, 0.15], rtol=1e-5)
    held = make_schedule(recipe, 0, extension.extended(recipe, phases, 40, 80, "constant", 0.3))
    np.testing.assert_allclose([held(40), held(79)], 0.3, rtol=1e-6)


def test_an_older_checkpoint_repeats_the_rates_of_before():
    """Its steps precede the phase that the run had recorded, and a new one replaces that."""
    recipe = Recipe(base_learning_rate=BASE, batch_size=BATCH)
    first = (extension.begun(recipe, 40),)
    phases = extension.extended(recipe, first, 40, 80, "restart")
    np.testing.assert_allclose(make_schedule(recipe, 0, phases)(20), BASE / 2, rtol=1e-6)
    again = extension.extended(recipe, phases, 30, 60, "restart")
    assert [phase.from_step for phase in again] == [0, 30]


def extending(config, how=None, rate=0.0):
    return dataclasses.replace(config, session=Session(extend=how, extend_learning_rate=rate))


def rates_of(folder):
    return [event["learning_rate"] for event in events(folder, "train")]


def config_of(data, epochs, **more):
    """Return a run of 12 steps an epoch, each of which is logged."""
    return run_config(data, "LogisticModel", epochs, progress_seconds=0.0, **more)


def weights_of(folder):
    return load_run(str(folder), "--train_dir")[1].get_weights()


@pytest.fixture(scope="module")
def short(small_data, tmp_path_factory):
    """A finished run of one epoch, which the tests copy."""
    folder = tmp_path_factory.mktemp("short")
    train(config_of(small_data, 1), str(folder))
    return folder


@pytest.mark.parametrize(
    ("how", "next_rate", "last_rate"),
    [
        (None, 0.01, 0.02 * shape("cosine", 23, 24)),
        ("constant", 0.002, 0.002),
    ],
)
def test_a_finished_run_is_extended(how, next_rate, last_rate, short, small_data, tmp_path, capsys):
    run = RunFolder(str(shutil.copytree(short, tmp_path / "run")))
    train(extending(config_of(small_data, 2), how), run.path)
    line = f"the run now has 24 steps, not 12; --extend={how or 'stretch'}: the learning rate of"
    assert f"{line} the next step is {next_rate:g}, not 0 (" in capsys.readouterr().out
    np.testing.assert_allclose(rates_of(run.path)[12::11], [next_rate, last_rate], 1e-4)
    kept = make_schedule(Recipe(batch_size=50), 0, run.load_config().phases)
    np.testing.assert_array_equal([kept(s) for s in range(24)], rates_of(run.path))


def test_an_extended_run_that_was_killed_resumes_to_the_bit(short, small_data, tmp_path):
    whole, killed = (shutil.copytree(short, tmp_path / name) for name in ("whole", "killed"))
    longer = extending(config_of(small_data, 2), "restart")
    train(longer, str(whole))
    restarted = [0.02 * shape("cosine", step, 12) for step in range(12)]
    np.testing.assert_allclose(rates_of(whole)[12:], restarted, rtol=1e-4)

    run = RunFolder(str(killed))
    begins = dataclasses.replace(longer, facts=run.load_config().facts)
    stop_at(Trainer(begins, run), 17)
    assert not run.is_done()  # or the same command would not resume it
    train(extending(config_of(small_data, 2)), run.path)  # --extend need not be repeated
    assert rates_of(run.path) == rates_of(whole)
    assert losses_of(run.path) == losses_of(whole)
    for mine, other in zip(weights_of(run.path), weights_of(whole)):
        np.testing.assert_array_equal(mine, other)
    assert run.load_config().phases == RunFolder(str(whole)).load_config().phases
    with pytest.raises(UserError, match=r"extended by restart with the rate 0\.02 at step 12"):
        train(extending(config_of(small_data, 2, patience=9), "constant"), run.path)


def test_an_unfinished_run_is_extended_from_where_it_is(small_data, tmp_path, capsys):
    config = config_of(small_data, 2)
    stop_at(Trainer(config, begun(config, tmp_path)), 6)
    train(extending(config_of(small_data, 3), "restart", 0.01), str(tmp_path))
    cosine = [0.02 * shape("cosine", step, 24) for step in range(6)]
    restarted = [0.01 * shape("cosine", step, 30) for step in range(30)]
    np.testing.assert_allclose(rates_of(tmp_path), cosine + restarted, rtol=1e-5)
    assert "0.01, not 0.0171 (0.0187 by stretch, 0.0171 by constant;" in capsys.readouterr().out


def test_extend_has_no_effect_without_another_length_and_says_so(small_data, tmp_path, capsys):
    config = config_of(small_data, 2)
    stop_at(Trainer(config, begun(config, tmp_path)), 6)
    train(extending(config, "restart"), str(tmp_path))
    assert "--extend=restart has no effect, because" in capsys.readouterr().out
    assert "phases" not in (tmp_path / "config.json").read_text()


@pytest.mark.parametrize("how", [None, "stretch"])
def test_a_rate_needs_an_extension_that_has_one(how, small_data, tmp_path):
    with pytest.raises(UserError, match=r"--extend_learning_rate=0\.1 is for --extend=restart"):
        train(extending(config_of(small_data, 1), how, 0.1), str(tmp_path))


def test_an_estimated_length_is_corrected_by_the_first_epoch(small_data, tmp_path, capsys):
    """An epoch of 600 records has 12 steps, not 10, and the cosine ends with step 24."""
    facts = {"records": 500, "records_estimated": True}
    config = dataclasses.replace(config_of(small_data, 2), facts=facts)
    train(config, str(tmp_path / "whole"))
    said = "an epoch has 12 batches, where 10 were estimated: the run has 24 steps, not 20, and its"
    assert said in capsys.readouterr().out
    cosine = [0.02 * shape("cosine", s, 20 if s < 12 else 24) for s in range(24)]
    np.testing.assert_allclose(rates_of(tmp_path / "whole"), cosine, rtol=1e-4, atol=1e-9)

    for stop in (12, 17):  # at the end of the first epoch, and in the second
        folder = tmp_path / str(stop)
        stop_at(Trainer(config, begun(config, folder)), stop)
        train(config, str(folder))
        assert rates_of(folder) == rates_of(tmp_path / "whole")
        for mine, other in zip(weights_of(folder), weights_of(tmp_path / "whole")):
            np.testing.assert_array_equal(mine, other)
    kept = RunFolder(str(tmp_path / "whole")).load_config()
    assert kept.facts["batches_in_epoch"] == 12
    assert [phase.why for phase in kept.phases] == ["begun", "counted"]


@pytest.mark.parametrize("exact", [True, False])
def test_a_new_run_records_whether_its_length_is_an_estimate(exact, small_data, monkeypatch):
    monkeypatch.setattr(new_run, "count", lambda files: Count(5000, exact))
    facts = new_run.new_run("LogisticModel", small_data.pattern("train", "video")).config.facts
    assert facts["records"] == 5000
    assert facts.get("records_estimated", False) is not exact


def test_a_counted_length_is_not_corrected(small_data, tmp_path):
    config = dataclasses.replace(config_of(small_data, 2), facts={"records": 500})
    train(config, str(tmp_path))
    assert RunFolder(str(tmp_path)).load_config().facts == {"records": 500}
