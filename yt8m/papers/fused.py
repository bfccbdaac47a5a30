"""A run of a row that fuses the models of other rows: predict, fuse and measure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from yt8m.papers import commands
from yt8m.papers.commands import FusedModel
from yt8m.papers.one_run import OneRun, State, rounded_metrics
from yt8m.papers.results import Result, read_json


@dataclasses.dataclass(frozen=True)
class Input:
    """A model to fuse.

    Attributes:
      text: the model as the row names it, `ROW` or `ROW@DATA`.
      model: its row and its run.
      result: result of its run.
    """

    text: str
    model: FusedModel
    result: Result


def fuse(run: OneRun, inputs: Sequence[Input]) -> Result:
    """Run a fusion on the validation videos of the run's data set, and return its result.

    "metrics" are those of the fusion on all videos with APs from the same videos, as in the paper;
    "best_single" is the input with the best GAP. "fit_on_half" contains the same with APs from one
    half of the videos and metrics on the other half. The average fits nothing; its result on one
    half is given for comparison.

    Args:
      run: the run.
      inputs: the models, trained or fused.

    Raises:
      UserError: the folder has a run with other settings or inputs.
      Failed: a command failed.
      Stopped: a signal stopped a command.
    """
    out = run.out
    models = [i.model for i in inputs]
    predictions, outputs = commands.scoring_steps(models, run.variant, run.data)
    scores = {i.text: output for i, output in zip(inputs, outputs)}
    fusions = commands.fusion_steps(run.row, run.variant, run.data, run.folder, outputs)
    steps = [*(step for _, step in predictions), *fusions]
    done = run.finished(steps, {i.text: i.result for i in inputs})
    if done:
        return done
    out.say(f"== {run.title}: {len(inputs)} models")
    for folder, step in predictions:
        out.execute(State(f"{folder}/scores.json"), step, folder)
    state = run.state
    for step in fusions:
        out.execute(state, step, run.folder)
    every, half = (read_json(step.output) for step in fusions)
    return run.finish(
        {
            **run.facts(steps, state),
            "inputs": {text: rounded_metrics(every[s]) for text, s in scores.items()},
            "best_single": _best(every, scores),
            "fit_on_half": {
                "best_single": _best(half, scores),
                "metrics": rounded_metrics(half["fused"]),
            },
            "metrics": rounded_metrics(every["fused"]),
            "versions": {},
            "examples_per_second": None,
        }
    )


def _best(values: dict[str, Any], scores: dict[str, str]) -> dict[str, Any]:
    text = max(scores, key=lambda text: values[scores[text]]["gap"])
    return {"input": text, **rounded_metrics(values[scores[text]])}
