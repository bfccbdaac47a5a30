"""Recipes that fuse other recipes' models: train what is missing, predict, fuse, measure twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Sequence

from yt8m.recipes import commands
from yt8m.recipes.catalog import Recipe, find
from yt8m.recipes.data import DataSet
from yt8m.recipes.results import Result, read_json

if TYPE_CHECKING:
    from yt8m.recipes.run import Runner

FITTED = ("l1", "l2", "l3")  # the methods that take APs


def run_fused(runner: "Runner", recipe: Recipe, variant: str, data_name: str, data: DataSet, seed: int, folder: str) -> Result:
    """Run a fusion on the validation videos of `data`, its inputs first; see `Runner.run`.

    The result's metrics are of the fusion on all videos, its APs from the same ones, as the paper
    has them. "best_single" is the best input by GAP; under "fit_on_half" the same stands with the
    APs of one half of the videos, measured on the other ("average" fits nothing, and stands there
    on the same half for comparison).
    """
    from yt8m.recipes.run import _metrics, _State

    fuse = recipe.variant(variant).fuse
    assert fuse is not None
    state, scores, predictions = _State(runner._at(folder, "state.json")), [], []
    for text in fuse.inputs:
        name, _, other = text.partition("@")
        model = find(name, runner.recipes)
        trained_on = other if other and variant == "small" else data_name
        trained = runner.run(name, variant, trained_on, seed)
        at = commands.folder_of(runner.out_dir, name, variant, trained["data"]["name"], seed)
        # Beside its model, for every fusion on the same videos to use; named by them.
        output = os.path.join(at, f"scores-{data.name}")
        train_dir = commands.trained_folder(model, variant, at)
        step = commands.Step(f"scores-{data.name}", "predict", commands.predict(train_dir, data.validation(model.variant(variant).level), output), output)
        predictions.append((at, step))
        scores.append(output)
    labels = data.validation("video" if "video" in data.validate else "")
    path = {k: os.path.join(folder, f"{k}.json") for k in ("all", "half")}
    method, power = (fuse.method, []) if fuse.method in FITTED else ("power", ["--power=0"])  # equal weights, on a half
    steps = [
        commands.Step("all", "fuse", commands.fuse(scores, fuse.method, labels, path["all"]), path["all"]),
        commands.Step("half", "fuse", commands.fuse(scores, method, labels, path["half"], "--fit_on_half", *power), path["half"]),
    ]
    wanted = [s for _, s in predictions] + steps
    what = f"{recipe.name} ({variant}) on {data.name}, seed {seed}"
    done = runner.finished(folder, wanted, what)
    if done:
        return done
    runner.say(f"== {what}: {len(scores)} models")
    for at, step in predictions:
        runner.execute(_State(runner._at(at, "scores.json")), step, at)
    for step in steps:
        runner.execute(state, step, folder)
    values: Dict[str, Any] = {k: read_json(runner._at(p)) for k, p in path.items()}
    result = {
        **runner.about(recipe, variant, data, seed, wanted, state),
        "inputs": {text: _metrics(values["all"][s]) for text, s in zip(fuse.inputs, scores)},
        "best_single": _best(values["all"], fuse.inputs, scores),
        "fit_on_half": {"best_single": _best(values["half"], fuse.inputs, scores), "metrics": _metrics(values["half"]["fused"])},
        "metrics": _metrics(values["all"]["fused"]),
        "versions": {},
        "examples_per_second": None,
    }
    return runner.finish(folder, result)


def _best(values: Dict[str, Any], inputs: Sequence[str], scores: List[str]) -> Dict[str, Any]:
    from yt8m.recipes.run import _metrics

    text, score = max(zip(inputs, scores), key=lambda pair: values[pair[1]]["gap"])
    return {"input": text, **_metrics(values[score])}
