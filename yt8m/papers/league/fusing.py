"""The fusions of a contest's best models, fitted on one half and measured on the other."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Sequence

from yt8m.fusion.weights import METHODS
from yt8m.papers.commands import FITTED, Step, predict
from yt8m.papers.league.entry import Entry
from yt8m.papers.league.steps import execute
from yt8m.papers.one_run import State, rounded_metrics
from yt8m.papers.results import Result, commit, read_json

# --method=weighted takes its weights from the user: there is nothing to fit.
FUSED_BY = tuple(method for method in METHODS if method != "weighted")


def made_of(results: Sequence[Result]) -> dict[str, str]:
    """Return a hash of each model's result, by model: a fusion holds for these."""
    return {r["model"]: hashlib.sha1(json.dumps(r).encode()).hexdigest()[:12] for r in results}


def fuse(entries: Sequence[Entry], results: Sequence[Result]) -> Result:
    """Fuse trained models by each method, and return the result.

    The APs come from a random half of the validation records, the metrics from the other half. The
    average fits nothing and is measured on the same half.

    Args:
      entries: the models, of one contest; at least two.
      results: their results.

    Raises:
      Stopped: a signal stopped a command.
    """
    first = entries[0]
    contest, data, out, ledger = first.contest, first.data, first.out, first.ledger
    folder = os.path.join(out.path, "league", contest.name, "fusion")
    out.say(f"== fusion of {len(entries)} models on {contest.name}")
    scores = [_scores_of(entry) for entry in entries]
    labels = data.validation("video" if "video" in data.validate else "")
    inputs = made_of(results)
    result: Result = {
        "contest": contest.name,
        "made_of": inputs,
        "methods": {},
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit(),
    }
    for entry, step in zip(entries, scores):
        failure = entry.measure(step).failure
        if failure:
            return {**result, "failed": failure}
    state = State(os.path.join(folder, "state.json"))
    outputs = [score.output for score in scores]
    steps = [_fusion(method, outputs, labels, folder, contest.top_k) for method in FUSED_BY]
    for method, step in zip(FUSED_BY, steps):
        made_from = " ".join(inputs.values())
        failure = execute(out, state, step, folder, ledger, made_from=made_from).failure
        if failure:
            return {**result, "failed": failure}
        found = read_json(step.output)
        result["methods"][method] = rounded_metrics(found["fused"])
        singles = {e.model: rounded_metrics(found[s.output]) for e, s in zip(entries, scores)}
    best = max(singles, key=lambda model: singles[model][contest.metric])
    result["best_single"] = {"model": best, **singles[best]}
    result["commands"] = [out.recorded(step) for step in (*scores, *steps)]
    return result


def _scores_of(entry: Entry) -> Step:
    output = os.path.join(entry.folder, "scores")
    arguments = predict(entry.train_dir, entry.data.validation(), output)
    return Step("scores", "predict", arguments, output)


def _fusion(method: str, scores: Sequence[str], labels: str, folder: str, top_k: int) -> Step:
    output = os.path.join(folder, f"{method}.json")
    # --fit_on_half needs a method that fits; shares by AP^0 are equal, as those of the average.
    flags = [f"--method={method}"]
    if method == "average":
        flags = ["--method=power", "--power=0"]
    assert method in (*FITTED, "power", "average"), method
    arguments = (
        "fusion.py",
        f"--inputs={','.join(scores)}",
        *flags,
        "--fit_on_half",
        f"--labels={labels}",
        f"--output_metrics={output}",
        f"--top_k={top_k}",
    )
    return Step(method, "fuse", arguments, output)
