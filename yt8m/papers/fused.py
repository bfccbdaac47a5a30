"""Recipes that fuse other recipes' models: train what is missing, predict, fuse, measure twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from yt8m.papers import commands
from yt8m.papers.paper_row import PaperRow, find
from yt8m.papers.results import Result, read_json
from yt8m.papers.small_data import DataSet

if TYPE_CHECKING:
    from yt8m.papers.runner import Runner


def run_fused(
    runner: Runner,
    recipe: PaperRow,
    variant: str,
    data_name: str,
    data: DataSet,
    seed: int,
    folder: str,
) -> Result:
    """Run a fusion on the validation videos of `data`, its inputs first; see `Runner.run`.

    The result's metrics are of the fusion on all videos, its APs from the same ones, as the paper
    has them. "best_single" is the best input by GAP; under "fit_on_half" the same stands with the
    APs of one half of the videos, measured on the other ("average" fits nothing, and stands there
    on the same half for comparison).
    """
    from yt8m.papers.runner import _metrics, _State

    fuse = recipe.variant(variant).fuse
    assert fuse is not None
    models, used = [], {}
    for text in fuse.inputs:
        name, _, other = text.partition("@")
        model = find(name, runner.recipes)
        trained_on = other if other and variant == "small" else data_name
        used[text] = runner.run(name, variant, trained_on, seed)
        models.append(
            (
                model,
                commands.folder_of(runner.out_dir, name, variant, used[text]["data"]["name"], seed),
            )
        )
    predictions, steps = commands.fusion_steps(recipe, variant, data, folder, models)
    scores = [step.output for _, step in predictions]
    wanted = [s for _, s in predictions] + steps
    what = f"{recipe.name} ({variant}) on {data.name}, seed {seed}"
    done = runner.finished(folder, wanted, what, used)
    if done:
        return done
    state = _State(runner._at(folder, "state.json"))
    runner.say(f"== {what}: {len(scores)} models")
    for at, step in predictions:
        runner.execute(_State(runner._at(at, "scores.json")), step, at)
    for step in steps:
        runner.execute(state, step, folder)
    values: dict[str, Any] = {s.name: read_json(runner._at(s.output)) for s in steps}
    result = {
        **runner.about(recipe, variant, data, seed, wanted, state),
        "inputs": {text: _metrics(values["all"][s]) for text, s in zip(fuse.inputs, scores)},
        "best_single": _best(values["all"], fuse.inputs, scores),
        "fit_on_half": {
            "best_single": _best(values["half"], fuse.inputs, scores),
            "metrics": _metrics(values["half"]["fused"]),
        },
        "metrics": _metrics(values["all"]["fused"]),
        "versions": {},
        "examples_per_second": None,
    }
    return runner.finish(folder, result)


def _best(values: dict[str, Any], inputs: Sequence[str], scores: list[str]) -> dict[str, Any]:
    from yt8m.papers.runner import _metrics

    text, score = max(zip(inputs, scores), key=lambda pair: values[pair[1]]["gap"])
    return {"input": text, **_metrics(values[score])}
