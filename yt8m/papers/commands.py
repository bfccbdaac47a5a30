"""The commands of a row in order, as a user would type them; this module runs nothing."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Literal

from yt8m.errors import UserError
from yt8m.papers.paper_row import PaperRow, Stage, VariantName
from yt8m.papers.paper_tables import find
from yt8m.papers.small_data import DataSet

USUAL_PLACE = "runs/recipes"  # default of --out_dir; the commands in results/ name it
FITTED = ("l1", "l2", "l3")  # the methods of fusion.py that use APs

# Stands for the data in a command of the paper's variant until the user names a folder.
PAPER_DATA = DataSet("release", "the paper's data", "TRAIN_RECORDS", {"": "VALIDATE_RECORDS"}, "")


@dataclasses.dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
      name: name of its stage, or "eval".
      kind: what the command does.
      arguments: script and flags, without `python`.
      output: the folder or file that it writes.
    """

    name: str
    kind: Literal["train", "predict", "eval", "fuse"]
    arguments: tuple[str, ...]
    output: str

    def shown(self) -> str:
        """Return the command as a user would type it."""
        return shlex.join(["python", *self.arguments])


def run_folder(out_dir: str, row: str, variant: VariantName, data: str, seed: int) -> str:
    """Return the folder of a run of a row."""
    on = data if variant == "small" else f"{variant}-{data}"
    return os.path.join(out_dir, row, f"{on}-seed{seed}")


def trained_folder(row: PaperRow, variant: VariantName, folder: str) -> str:
    """Return the --train_dir of the model that a row's run in `folder` evaluates."""
    trained = [s.name for s in row.variant(variant).stages if s.kind == "train"]
    return os.path.join(folder, trained[-1])


def needed(row: PaperRow, variant: VariantName) -> list[str]:
    """Return the names of the rows whose trained models a row's stages use (`run:NAME`)."""
    names: list[str] = []
    for stage in row.variant(variant).stages:
        more = [flag for flags in stage.flags_for.values() for flag in flags]
        for text in (*stage.flags, *more, stage.of):
            names += re.findall(r"run:([\w+@.-]+)", text)
    return list(dict.fromkeys(names))


def training_steps(
    row: PaperRow,
    variant: VariantName,
    data: DataSet,
    seed: int,
    folder: str,
    folder_of_row: Callable[[str], str],
) -> list[Step]:
    """Return the commands of a row that trains, ending with the evaluation.

    Args:
      row: a row with stages.
      variant: "small", "paper" or "code".
      data: the data set.
      seed: --seed of train.py.
      folder: the run's folder.
      folder_of_row: function from the name of a row in `needed` to its trained folder.

    Raises:
      UserError: a flag names a stage that does not come earlier.
    """
    places: dict[str, str] = {}

    def place(match: re.Match[str]) -> str:
        name = match.group(1)
        if name.startswith("run:"):
            return folder_of_row(name[len("run:") :])
        if name not in places:
            raise UserError(
                f"row {row.name} names the stage {name!r}, which is not an earlier stage"
                f" ({', '.join(places)})."
            )
        return places[name]

    def fill(text: str) -> str:
        return re.sub(r"\{([^{}\"]+)\}", place, text)

    steps: list[Step] = []
    for stage in row.variant(variant).stages:
        output = os.path.join(folder, stage.name)
        if stage.kind == "train":
            flags = map(
                fill, merged([*data.flags, *stage.flags, *stage.flags_for.get(data.name, ())])
            )
            arguments = ("train.py", *flags, *_train_flags(stage, variant, data, seed, output))
            steps.append(Step(stage.name, "train", arguments, output))
        else:
            records = data.train if stage.split == "train" else data.validation()
            arguments = predict(fill("{" + stage.of + "}"), records, output)
            steps.append(Step(stage.name, "predict", arguments, output))
        places[stage.name] = output
    output = os.path.join(folder, "eval")
    evaluation = (
        "eval.py",
        f"--train_dir={trained_folder(row, variant, folder)}",
        f"--eval_data_pattern={data.test or data.validation()}",
        f"--output_dir={output}",
        *data.eval_flags,
        *row.variant(variant).eval_flags,
    )
    return [*steps, Step("eval", "eval", evaluation, output)]


def _train_flags(
    stage: Stage, variant: VariantName, data: DataSet, seed: int, output: str
) -> list[str]:
    flags = [f"--train_data_pattern={data.train}", f"--train_dir={output}", f"--seed={seed}"]
    if stage.validate or variant != "small":
        flags.append(f"--eval_data_pattern={data.validation()}")
    return flags


def predict(train_dir: str, records: str, output: str) -> tuple[str, ...]:
    """Return the command that writes a model's scores of `records` to the folder `output`."""
    return (
        "inference.py",
        f"--train_dir={train_dir}",
        f"--input_data_pattern={records}",
        f"--output_scores={output}",
    )


@dataclasses.dataclass(frozen=True)
class FusedModel:
    """One input of a fusion: a trained row, or a row that is a fusion itself.

    Attributes:
      row: the row.
      folder: folder of its run.
      parts: the inputs of a row that is a fusion; empty for a trained row.
    """

    row: PaperRow
    folder: str
    parts: tuple[FusedModel, ...] = ()


def fused_model(
    text: str,
    rows: dict[str, PaperRow],
    variant: VariantName,
    data: str,
    folder: Callable[[str, str], str],
) -> FusedModel:
    """Return the input of a fusion that `ROW` or `ROW@DATA` names.

    Args:
      text: the input's name, as a row gives it.
      rows: all rows by name.
      variant: "small", "paper" or "code".
      data: name of the data set that the fusion is on.
      folder: returns the folder of a row's run on a data set.

    Raises:
      UserError: there is no such row.
    """
    name, _, other = text.partition("@")
    on = other if other and variant == "small" else data
    row = find(name, rows)
    fuse = row.variant(variant).fuse
    parts = [fused_model(t, rows, variant, on, folder) for t in fuse.inputs] if fuse else []
    return FusedModel(row, folder(name, on), tuple(parts))


def scoring_steps(
    models: Sequence[FusedModel], variant: VariantName, data: DataSet
) -> tuple[list[tuple[str, Step]], list[str]]:
    """Return the commands that score the validation videos by each model.

    The scores go to a model's own folder, so that all fusions on the same videos share them.

    Args:
      models: the inputs of a fusion.
      variant: "small", "paper" or "code".
      data: the data set whose validation videos are scored.

    Returns:
      The commands in order, each with the run folder that it belongs to, and the score folder of
      each model.
    """
    steps: list[tuple[str, Step]] = []
    scores: list[str] = []
    for model in models:
        name = f"scores-{data.name}"
        output = os.path.join(model.folder, name)
        setting = model.row.variant(variant)
        if setting.fuse:
            first, inputs = scoring_steps(model.parts, variant, data)
            steps += first
            fit = [f"--labels={_labels(data)}"] if setting.fuse.method in FITTED else []
            flags = (f"--inputs={','.join(inputs)}", f"--method={setting.fuse.method}")
            arguments = ("fusion.py", *flags, f"--output_scores={output}", *fit)
            step = Step(name, "fuse", arguments, output)
        else:
            records = data.validation(setting.level)
            trained = trained_folder(model.row, variant, model.folder)
            step = Step(name, "predict", predict(trained, records, output), output)
        steps.append((model.folder, step))
        scores.append(output)
    return steps, scores


def _labels(data: DataSet) -> str:
    return data.validation("video" if "video" in data.validate else "")


def fusion_steps(
    row: PaperRow,
    variant: VariantName,
    data: DataSet,
    folder: str,
    scores: Sequence[str],
) -> list[Step]:
    """Return the commands of a row that fuses stored scores.

    Args:
      row: a row with `fuse`.
      variant: "small", "paper" or "code".
      data: the data set whose validation videos are fused.
      folder: the run's folder.
      scores: score folder of each input.

    Returns:
      The fusions on all videos ("all") and on one half of them with weights from the other half
      ("half").
    """
    fuse = row.variant(variant).fuse
    assert fuse is not None

    def fusion(name: str, method: str, *more: str) -> Step:
        output = os.path.join(folder, f"{name}.json")
        arguments = (
            "fusion.py",
            f"--inputs={','.join(scores)}",
            f"--method={method}",
            f"--labels={_labels(data)}",
            f"--output_metrics={output}",
            *more,
        )
        return Step(name, "fuse", arguments, output)

    half = fusion("half", fuse.method, "--fit_on_half")
    if fuse.method not in FITTED:  # equal weights, measured on the same half as the others
        half = fusion("half", "power", "--fit_on_half", "--power=0")
    return [fusion("all", fuse.method), half]


def merged(flags: Sequence[str]) -> list[str]:
    """Return the flags without those that a later flag of the same name overrides.

    `--name` and `--noname` are the same flag; each option of --model_option is a flag of its own.
    """
    last: dict[str, str] = {}
    for flag in flags:
        name, _, value = flag.partition("=")
        if name == "--model_option":
            key = f"{name}={value.partition('=')[0]}"
        else:
            key = re.sub(r"^--no(?=\w)", "--", name)
        last.pop(key, None)
        last[key] = flag
    return list(last.values())
