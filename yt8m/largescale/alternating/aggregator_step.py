"""Step 3: the classifier is frozen and the aggregator moves, most often by iRProp+ on the gradient of all the data."""

from __future__ import annotations

import time

from yt8m.largescale.alternating.context import Context, Outcome
from yt8m.largescale.alternating.plan import Step, best_index, is_over
from yt8m.largescale.alternating.step3_updates import make_mover
from yt8m.largescale.alternating.step_model import (
    arguments_of,
    copy_model,
    load_model,
    metrics_of,
    save_model,
)
from yt8m.largescale.alternating.step_state import StepState
from yt8m.runs.folder import ALTERNATION


def run(context: Context, step: Step, source: str) -> Outcome | None:
    """Move the aggregator until the stopping rule ends it, and hand on the best model seen; None where it was stopped.

    Args:
      context: of the run.
      step: which.
      source: folder of the model that the step before handed on.
    """
    settings, run_folder = context.settings, context.run
    folder = f"{ALTERNATION}/{step.name}"
    best = f"{folder}/best"
    own = arguments_of(run_folder, source)
    with context.strategy.scope():
        model = load_model(run_folder, source)
    mover = make_mover(context, step, model)
    state = StepState(run_folder, f"{folder}/state.npz")
    if state.iterations < 0:
        start = metrics_of(run_folder, source)
        copy_model(run_folder, source, best, start)
        context.log.iteration(step, 0, start, 0.0)
        state.save([float(start["gap"])], 0.0, mover.state())
    else:
        mover.restore(state.arrays)
        context.log.say(f"{step.name} goes on after iteration {state.iterations}")
    predictor = context.validation.predictor(model)
    try:
        while not is_over(state.gaps, settings.step3_patience, settings.step3_max_iterations):
            if context.stop():
                return None
            iteration, began = state.iterations + 1, time.monotonic()
            about = mover.move(iteration)
            elapsed = state.elapsed + time.monotonic() - began
            result = context.validation(predictor)
            gaps: list[float] = [*state.gaps, float(result["gap"])]
            if best_index(gaps) == iteration:
                save_model(run_folder, best, model, own, {**result, "iteration": iteration})
            context.log.iteration(step, iteration, result, elapsed, **about)
            state.save(gaps, elapsed, mover.state())
    finally:
        mover.close()
    return Outcome(best, metrics_of(run_folder, best), state.elapsed)
