"""Step 3: the classifier is frozen and the aggregator is trained, usually by full-batch iRProp+."""

from __future__ import annotations

import time

from yt8m.largescale.alternating.context import Context
from yt8m.largescale.alternating.plan import Step, best_index, is_over
from yt8m.largescale.alternating.step3_updates import make_updates
from yt8m.largescale.alternating.step_model import (
    arguments_of,
    copy_model,
    load_model,
    metrics_of,
    save_model,
)
from yt8m.largescale.alternating.step_state import STATE, StepState


def run(context: Context, step: Step, source: str) -> float:
    """Train the aggregator until the stopping rule ends the step, and keep the best model.

    Args:
      context: the run.
      step: the step.
      source: the folder of the model that the previous step passed on.

    Returns:
      seconds that the step took, without validation.

    Raises:
      Stopped: a signal stopped the run. The state of the last iteration is saved.
    """
    settings, run_folder = context.settings, context.run
    own = arguments_of(run_folder, source)
    with context.strategy.scope():
        model = load_model(run_folder, source)
    updates = make_updates(context, step, model)
    state = StepState(run_folder, f"{step.folder}/{STATE}")
    if state.iterations < 0:
        start = metrics_of(run_folder, source)
        copy_model(run_folder, source, step.best, start)
        context.log.iteration(step, 0, start, 0.0)
        state.record(start["gap"], 0.0, updates.state())
    else:
        updates.restore(state.arrays)
        context.log.say(f"{step.name} continues after iteration {state.iterations}")
    try:
        while not is_over(state.gaps, settings.step3_patience, settings.step3_max_iterations):
            context.stop.raise_if_set()
            iteration, began = state.iterations + 1, time.monotonic()
            numbers = updates.update(iteration)
            elapsed = state.elapsed + time.monotonic() - began
            result = context.validate.on_records(updates.shared)
            if best_index([*state.gaps, result["gap"]]) == iteration:
                about = {**result, "iteration": iteration}
                save_model(run_folder, step.best, model, own, about)
            context.log.iteration(step, iteration, result, elapsed, **numbers)
            state.record(result["gap"], elapsed, updates.state())
    finally:
        updates.close()
    return state.elapsed
