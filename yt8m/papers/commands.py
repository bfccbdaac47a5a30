"""A recipe's variant as the commands of the root scripts, in order; nothing is run here."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Sequence
from typing import Callable

from yt8m.errors import UserError
from yt8m.papers.paper_row import PaperRow, Stage
from yt8m.papers.small_data import DataSet

USUAL_PLACE = "runs/recipes"  # of --out_dir, in a checkout
FITTED = ("l1", "l2", "l3")  # the methods that take APs

# What stands for the data in a paper's command, until somebody names them.
PAPER_DATA = DataSet("release", "the paper's data", "TRAIN_RECORDS", {"": "VALIDATE_RECORDS"}, "")


@dataclasses.dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
      name: of its stage, or "eval".
      kind: "train", "predict", "eval" or "fuse".
      arguments: script and flags, to go behind `python`.
      output: the folder that it writes.
    """

    name: str
    kind: str
    arguments: tuple[str, ...]
    output: str

    def shown(self) -> str:
        """Return the command as a person would type it."""
        return shlex.join(["python", *self.arguments])


def folder_of(out_dir: str, recipe: str, variant: str, data: str, seed: int) -> str:
    """Return where a run of a recipe is kept."""
    return os.path.join(
        out_dir, recipe, f"{data if variant == 'small' else 'paper-' + data}-seed{seed}"
    )


def trained_folder(recipe: PaperRow, variant: str, folder: str) -> str:
    """Return the --train_dir of the model that a recipe's run in `folder` is about."""
    return os.path.join(
        folder, [s.name for s in recipe.variant(variant).stages if s.kind == "train"][-1]
    )


def needed(recipe: PaperRow, variant: str) -> list[str]:
    """Return the names of the recipes whose trained models a recipe's stages use (`{run:NAME}`, `run:NAME`)."""
    names: list[str] = []
    for stage in recipe.variant(variant).stages:
        for text in (
            *stage.flags,
            *(f for more in stage.flags_for.values() for f in more),
            stage.of,
        ):
            names += re.findall(r"run:([\w+@.-]+)", text)
    return list(dict.fromkeys(names))


def steps(
    recipe: PaperRow,
    variant: str,
    data: DataSet,
    seed: int,
    folder: str,
    run_folder: Callable[[str], str],
) -> list[Step]:
    """Return the commands of a recipe that trains, the evaluation last.

    Args:
      recipe: with stages.
      variant: "small" or "paper".
      data: where the records are.
      seed: of train.py.
      folder: of this run.
      run_folder: name of a needed recipe -> its trained folder.
    """
    places: dict[str, str] = {}

    def fill(text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            key = match.group(1)
            if key.startswith("run:"):
                return run_folder(key[4:])
            if key not in places:
                raise UserError(
                    f"recipe {recipe.name}: {text!r} names {key!r}, which is no earlier stage ({', '.join(places)})."
                )
            return places[key]

        return re.sub(r"\{([^{}\"]+)\}", replace, text)

    found: list[Step] = []
    for stage in recipe.variant(variant).stages:
        output = os.path.join(folder, stage.name)
        flags = merged([*data.flags, *stage.flags, *stage.flags_for.get(data.name, ())])
        if stage.kind == "train":
            more = [f"--train_data_pattern={data.train}", f"--train_dir={output}", f"--seed={seed}"]
            if stage.validate or variant == "paper":
                more.append(f"--eval_data_pattern={data.validation()}")
            found.append(Step(stage.name, "train", ("train.py", *map(fill, flags), *more), output))
        else:
            found.append(
                Step(
                    stage.name,
                    "predict",
                    predict(_model_of(stage, fill), _split(data, stage), output),
                    output,
                )
            )
        places[stage.name] = output
    train_dir = trained_folder(recipe, variant, folder)
    evaluation = (
        "eval.py",
        f"--train_dir={train_dir}",
        f"--eval_data_pattern={data.validation()}",
        f"--output_dir={os.path.join(folder, 'eval')}",
        *recipe.variant(variant).eval_flags,
    )
    return [*found, Step("eval", "eval", evaluation, os.path.join(folder, "eval"))]


def predict(train_dir: str, records: str, output: str) -> tuple[str, ...]:
    """Return the command that writes a model's scores of `records` to the folder `output`."""
    return (
        "inference.py",
        f"--train_dir={train_dir}",
        f"--input_data_pattern={records}",
        f"--output_scores={output}",
    )


def fuse(inputs: list[str], method: str, labels: str, metrics: str, *more: str) -> tuple[str, ...]:
    """Return the command that fuses score folders and measures the fusion on `labels`."""
    return (
        "fusion.py",
        f"--inputs={','.join(inputs)}",
        f"--method={method}",
        f"--labels={labels}",
        f"--output_metrics={metrics}",
        *more,
    )


def fusion_steps(
    recipe: PaperRow,
    variant: str,
    data: DataSet,
    folder: str,
    models: Sequence[tuple[PaperRow, str]],
) -> tuple[list[tuple[str, Step]], list[Step]]:
    """Return the predictions, each with the run's folder that it goes into, and the two fusions of a recipe that fuses.

    Args:
      recipe: with `fuse`.
      variant: "small" or "paper".
      data: whose validation videos are predicted and fused.
      folder: of this run.
      models: each input's recipe, and the folder of its run.
    """
    fuse_ = recipe.variant(variant).fuse
    assert fuse_ is not None
    predictions = []
    for model, at in models:
        # Beside its model, for every fusion on the same videos to use; named by them.
        name = f"scores-{data.name}"
        output = os.path.join(at, name)
        arguments = predict(
            trained_folder(model, variant, at),
            data.validation(model.variant(variant).level),
            output,
        )
        predictions.append((at, Step(name, "predict", arguments, output)))
    scores = [step.output for _, step in predictions]
    labels = data.validation("video" if "video" in data.validate else "")
    path = {k: os.path.join(folder, f"{k}.json") for k in ("all", "half")}
    method, power = (
        (fuse_.method, []) if fuse_.method in FITTED else ("power", ["--power=0"])
    )  # equal weights, on a half
    return predictions, [
        Step("all", "fuse", fuse(scores, fuse_.method, labels, path["all"]), path["all"]),
        Step(
            "half",
            "fuse",
            fuse(scores, method, labels, path["half"], "--fit_on_half", *power),
            path["half"],
        ),
    ]


def merged(flags: list[str]) -> list[str]:
    """Return flags without those that a later one of the same name overrides; --model_option counts by its option."""
    last: dict[str, str] = {}
    for flag in flags:
        name, _, value = flag.partition("=")
        key = (
            f"{name}={value.partition('=')[0]}"
            if name == "--model_option"
            else re.sub(r"^--no(?=\w)", "--", name)
        )
        last.pop(key, None)
        last[key] = flag
    return list(last.values())


def _model_of(stage: Stage, fill: Callable[[str], str]) -> str:
    return fill("{" + stage.of + "}")


def _split(data: DataSet, stage: Stage) -> str:
    return data.train if stage.split == "train" else data.validation()
